"""A conversion is asked to stop at a random moment: nothing is left, or it was done before."""

import signal
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .programs import finish, run, start, wait_until_ready
from .stores import judge, options, tree, volume, write_tiffs
from .trials import Done, Group, Skipped, Try, Unexpected

__all__ = ["GROUP"]

LONGEST = 20.0
"""Seconds within which a process ends."""

DEPTHS = (30, 70)
"""Slices of a stack, least and most."""


@cache
def _usual() -> float:
    """Return the seconds that a conversion takes from when it is ready for signals."""
    planes = volume(np.random.default_rng(0), (sum(DEPTHS) // 2, 250, 270))
    with TemporaryDirectory() as folder:
        src = write_tiffs(Path(folder) / "in", planes, compression="zlib")
        process = start(src, Path(folder) / "o.zarr", "--quiet")
        wait_until_ready(process, signal.SIGHUP)
        begin = time.monotonic()
        finish(process)
        return time.monotonic() - begin


def _interrupted(*names: str) -> Try:
    def attempt(rng: np.random.Generator, folder: Path) -> None:
        if not all(hasattr(signal, name) for name in names):
            raise Skipped(f"this system has no {' or no '.join(names)}")
        numbers = [int(getattr(signal, name)) for name in names]
        planes = volume(rng, (int(rng.integers(*DEPTHS)), 250, 270))
        src, dst = write_tiffs(folder / "in", planes, compression="zlib"), folder / "o.zarr"
        words = [src, dst, "--quiet", *options(rng)]
        if rng.random() < 0.4:  # a sweep more, to find values, and the same voxels
            words += ["--ops", "clip p0 p100"]
        if rng.random() < 0.2:
            dst.mkdir()  # an empty folder is free, and stays
        before = tree(folder)
        done = _send(words, numbers, float(rng.uniform(0, 1)) * _usual(), rng)
        codes = [128 + number for number in numbers]
        judge(done, dst, planes, folder, before, *codes)
        if done.code and len(done.stderr.strip().splitlines()) != 1:
            raise Unexpected("it doesn't say so in one line", done)
        if done.code:
            judge(run(*words, note=" # afterwards"), dst, planes, folder, before)

    return attempt


def _send(
    words: Sequence[object], numbers: Sequence[int], delay: float, rng: np.random.Generator
) -> Done:
    """Run a conversion, send it signals after some seconds; return how it ended."""
    process = start(*words)
    try:
        wait_until_ready(process, signal.SIGHUP)
        time.sleep(delay)
        for number in numbers:
            if process.poll() is None:
                process.send_signal(number)
            time.sleep(float(rng.uniform(0, 0.5 / len(numbers))))
    except BaseException:
        process.kill()
        process.communicate()
        raise
    names = "+".join(signal.Signals(number).name for number in numbers)
    return finish(process, LONGEST, f" # {names} {delay:.3f} s after it was ready")


GROUP = Group(
    "signals",
    {
        "SIGINT": _interrupted("SIGINT"),
        "SIGTERM": _interrupted("SIGTERM"),
        "SIGHUP": _interrupted("SIGHUP"),
        "two at once": _interrupted("SIGINT", "SIGTERM"),
    },
)
