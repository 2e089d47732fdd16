"""Rounds: the jobs that read the same stack take turns, so that drift meets all alike."""

import json
import mmap
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psutil

from tests.benchmarks.environments import Environment
from tests.benchmarks.jobs import SHAPES, Job, Place
from tests.benchmarks.measure import Usage, measure
from tests.benchmarks.stacks import ROOT, Data, make, shape_of

__all__ = ["Bench", "Run", "rehearse", "run_rounds"]

OUTPUT = "output-of-benchmark-"

TOUCHED = 8 << 30
"""Bytes: about what the hungriest job holds and writes."""


@dataclass(frozen=True)
class Bench:
    """What all runs share: where data and outputs lie, the size, threads, rounds, peers."""

    folder: Path
    size: str
    workers: int
    rounds: int
    environments: Mapping[str, Environment] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One job in one round.

    Attributes
    ----------
    own
        Seconds as the job tells them, without imports and planning; None if it failed.
    told
        All numbers of its report.
    missing
        What it says that it had to leave out, and why.
    """

    job: str
    round: int
    usage: Usage
    own: float | None
    told: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    last_words: str = ""


def rehearse(bench: Bench, jobs: Sequence[Job]) -> Iterator[Run]:
    """Run every job once on a tiny stack: kernels get compiled, and a broken job shows early."""
    tiny = replace(bench, size="tiny")
    for job in jobs:
        stack = "jp2" if job.stack == "wide" else job.stack
        yield _run(tiny, job, _data(tiny, stack), 0)


def run_rounds(bench: Bench, jobs: Sequence[Job]) -> Iterator[Run]:
    """Rounds of A B C, A B C, ... for the jobs of each stack in turn."""
    try:
        for stack in dict.fromkeys(job.stack for job in jobs):
            yield from _rounds(bench, [job for job in jobs if job.stack == stack])
    finally:
        for folder in bench.folder.glob(f"{OUTPUT}*"):
            shutil.rmtree(folder)


def _rounds(bench: Bench, turns: Sequence[Job]) -> Iterator[Run]:
    """Rounds of jobs that read the same stack."""
    data = _data(bench, turns[0].stack)
    if data:
        _read_once(data)
    for number in range(1, bench.rounds + 1):
        for job in turns:
            yield _run(bench, job, data, number)


def _data(bench: Bench, stack: str) -> Data | None:
    return make(stack, shape_of(stack, bench.size), bench.folder) if stack else None


def _read_once(data: Data) -> None:
    """Fill the page cache, so that the first job isn't alone in waiting for the disk."""
    for file in sorted(data.path.iterdir()):
        file.read_bytes()


def _run(bench: Bench, job: Job, data: Data | None, number: int) -> Run:
    print(f"round {number} of {bench.rounds}: {job.name}", file=sys.stderr)
    output = Path(mkdtemp(dir=bench.folder, prefix=OUTPUT))
    python = bench.environments[job.environment].python if job.environment else sys.executable
    slices, rows, _ = data.shape if data else SHAPES[bench.size]
    place = Place(
        python=str(python),
        scripts=Path(sysconfig.get_path("scripts")),
        src=data.path if data else bench.folder,
        dst=output / "volume.zarr",
        report=output / "report.json",
        workers=bench.workers,
        slices=slices,
        rows=rows,
    )
    os.sync()  # what earlier jobs have left to write must not slow this one
    if bench.size != "tiny":
        _touch_memory()
    try:
        usage = measure(job.command(place), ROOT, output / "log.txt")
        return _result(job, number, usage, output)
    finally:
        _empty(output)


def _empty(folder: Path) -> None:
    """Give back the disk's room, but leave the files, which go when all runs are over.

    ext4 doesn't use again at once what was just deleted, but walks over it for every new file: the
    job that happens to come next would pay up to half a second, measured.
    """
    for file in folder.rglob("*"):
        if file.is_file():
            os.truncate(file, 0)


def _touch_memory() -> None:
    """Use free memory once, so that no job is the one to wait for the machine to have it.

    A virtual machine gives back to its host what has been free for some seconds, and the next to
    write there waits: up to 2 s a GB, measured, more than many a job takes.
    """
    size = min(TOUCHED, psutil.virtual_memory().available // 2)
    words = f"import numpy; numpy.empty({size}, 'u1')[::{mmap.PAGESIZE}] = 1"
    subprocess.run([sys.executable, "-c", words], check=True)  # jobs inherit a mark of our peak


def _result(job: Job, number: int, usage: Usage, output: Path) -> Run:
    if usage.exit != 0:
        log = (output / "log.txt").read_text(errors="replace").strip()
        words = f"killed at {usage.peak / 1e9:.1f} GB" if usage.starved else log[-1000:]
        return Run(job.name, number, usage, None, last_words=words)
    told: dict[str, Any] = json.loads((output / "report.json").read_text())
    numbers = {name: value for name, value in told.items() if isinstance(value, int | float)}
    return Run(job.name, number, usage, numbers["seconds"], numbers, told.get("missing", {}))
