"""A box of a volume, written as an output of its own; only what it touches is read."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine import machine
from hoaconv.errors import StoreError
from hoaconv.io.file_claim import check_file_free
from hoaconv.job.box import Box
from hoaconv.job.chain import behind, spec_at
from hoaconv.job.conversion import open_planned
from hoaconv.job.declared import Options
from hoaconv.job.destination import output_to
from hoaconv.job.job import Job
from hoaconv.job.options import Cutting, Reading, Running, Voxels
from hoaconv.job.output import Output
from hoaconv.job.paths import check_beside, check_path, take_report_path
from hoaconv.job.report import Report
from hoaconv.job.resolve import check_outputs, take_workers
from hoaconv.job.target import Branch, InMemory
from hoaconv.job.watching import Watcher

__all__ = ["cutout"]


def cutout(options: Mapping[str, Any], watcher: "Watcher | None") -> Report:
    """Write a box of a volume.

    Parameters
    ----------
    options
        All parameters of `hoaconv.cutout`, by name.

    Raises
    ------
    SpellingError, SourceError, PlanError, BudgetError, StoreError
        As `hoaconv.cutout` does.
    """
    running, dst = Running.take(options), options["dst"]
    machine.begin(take_workers(running))
    box, cutting = Box.parse(options["box"]), Cutting.take(options)
    reading, voxels = Reading.take(options), Voxels.take(options)
    is_npy = os.fspath(dst).lower().endswith(".npy")
    output = None if is_npy else output_to(dst, options)
    take_report_path(running.report)
    if output is None:
        _check_npy(Path(dst), options)
    else:
        check_outputs([output], running, [options["src"], *reading.append])
        output.check_free()
    volume = open_planned(options["src"], reading, voxels)
    plan = behind(volume.plan, box.ops(volume.spec, cutting.fill), {})
    made = replace(volume, plan=plan, spec=spec_at(plan))
    target: Output | InMemory = output or InMemory()
    groups: Sequence[Options] = (*([output] if output else []), reading, voxels, cutting, running)
    given = {name: value for group in groups for name, value in group.given().items()}
    given = {name: value for name, value in given.items() if name not in ("report", "scratch")}
    job = Job((Branch(os.fspath(dst), made, target),), running=running, given=given)
    report = job.run(progress=watcher)
    if output is None:
        _save(Path(dst), report[os.fspath(dst)])
    return report


def _check_npy(path: Path, options: Mapping[str, Any]) -> None:
    check_path(path)
    check_beside(path, options["src"])
    check_file_free(path, overwrite=options["overwrite"])


def _save(path: Path, array: "np.ndarray[Any, Any]") -> None:
    """Write an array as a .npy file, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            np.save(file, array)
        beside.replace(path)
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        partial(beside.unlink, missing_ok=True)()
