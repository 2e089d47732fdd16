"""What the programs among the jobs share: words in, seconds out."""

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

__all__ = ["Clock", "main"]


class Clock:
    """Seconds by phase, summed over its ``with`` blocks."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self.seconds[phase] += perf_counter() - start  # type: ignore[assignment]


def main(
    job: Callable[..., Mapping[str, Any] | None],
    *,
    uncounted: str = "",
    **options: float | str,
) -> None:
    """Run ``job(src, dst, workers, clock, **options)`` and report the seconds of its phases.

    Those of the phase `uncounted` are not in the sum. `options` are further words of the command
    with their defaults; what the job returns joins the report.
    """
    parser = ArgumentParser()
    parser.add_argument("src", type=Path)
    parser.add_argument("dst", type=Path)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    for name, default in options.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    words = vars(parser.parse_args())
    report, clock = words.pop("report"), Clock()
    told = job(words.pop("src"), words.pop("dst"), words.pop("workers"), clock, **words)
    counted = sum(s for phase, s in clock.seconds.items() if phase != uncounted)
    report.write_text(json.dumps({"seconds": counted, **clock.seconds, **(told or {})}))
