"""Little memory, few files, few threads, odd budgets: a right store, or words."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .programs import run
from .stores import judge, tree, volume, write_jp2s, write_tiffs
from .trials import Group, Skipped, Try

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

__all__ = ["GROUP"]

BUDGETS = (
    *("0", "1", "-1", "1e9", "100MB", "300 MiB", "1GB", "1TB", "inf", "nan", "half", "", "9" * 30),
    *("150MB", "200MB", "250MB", "1KB", "1.5GiB", "50%"),
)


def _converted(rng: np.random.Generator, folder: Path, *more: str, note: str, **how: Any) -> None:
    shape = tuple(int(n) for n in rng.integers((1, 1, 1), (40, 300, 300)))
    planes, write = volume(rng, shape), (write_tiffs, write_jp2s)[rng.integers(2)]
    src, dst = write(folder / "in", planes), folder / "o.zarr"
    before = tree(folder)
    done = run(src, dst, "--quiet", *more, note=note, **how)
    judge(done, dst, planes, folder, before, 2, 3, 4, 5)


def _limited(kind: str, draw: Callable[[np.random.Generator], int]) -> Try:
    def attempt(rng: np.random.Generator, folder: Path) -> None:
        if not hasattr(resource, kind):
            raise Skipped(f"this system has no {kind}")
        if kind == "RLIMIT_NPROC" and os.geteuid() == 0:
            raise Skipped("the number of root's processes isn't limited")
        most = draw(rng)
        limit = partial(resource.setrlimit, getattr(resource, kind), (most, most))
        workers = [] if rng.random() < 0.3 else ["--workers", str(rng.choice([1, 2, 8, 100]))]
        note = f" # {kind} {most}"
        _converted(rng, folder, *workers, note=note, preexec_fn=limit)

    return attempt


def _odd_budget(rng: np.random.Generator, folder: Path) -> None:
    workers = str(rng.choice([-1, 0, 1, 2, 3, 17, 200]))
    words = (f"--budget={rng.choice(BUDGETS)}", f"--workers={workers}")
    _converted(rng, folder, *words, note="")


def _tasks(rng: np.random.Generator) -> int:
    return int(rng.integers(1, 60))


GROUP = Group(
    "resources",
    {
        "address space": _limited("RLIMIT_AS", lambda rng: int(rng.integers(200, 3000)) << 20),
        "data": _limited("RLIMIT_DATA", lambda rng: int(rng.integers(60, 1200)) << 20),
        "open files": _limited("RLIMIT_NOFILE", lambda rng: int(rng.integers(5, 60))),
        "threads": _limited("RLIMIT_NPROC", _tasks),
        "budget and workers": _odd_budget,
    },
)
