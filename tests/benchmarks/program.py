"""What the programs among the jobs share: words in, seconds out."""

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

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


def main(job: Callable[[Path, Path, int, Clock], None], uncounted: str = "") -> None:
    """Run ``job(src, dst, workers, clock)`` and report the seconds of its phases.

    Those of the phase `uncounted` are not in the sum.
    """
    parser = ArgumentParser()
    parser.add_argument("src", type=Path)
    parser.add_argument("dst", type=Path)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    words = parser.parse_args()
    clock = Clock()
    job(words.src, words.dst, words.workers, clock)
    counted = sum(s for phase, s in clock.seconds.items() if phase != uncounted)
    words.report.write_text(json.dumps({"seconds": counted, **clock.seconds}))
