"""Options become a job that adds something to a store: levels, or a label image."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hoaconv.engine import machine
from hoaconv.engine.plan import Plan
from hoaconv.errors import StoreError
from hoaconv.io.array_volume import ArrayVolume
from hoaconv.io.existing import Existing, find_image
from hoaconv.job.added_sinks import level_of
from hoaconv.job.adding import AddedLabel, AddedLevels
from hoaconv.job.chain import behind, open_operands, open_source, spec_at
from hoaconv.job.conversion import open_planned, ops_of
from hoaconv.job.job import Job
from hoaconv.job.options import Chain, Reading, Running, Values
from hoaconv.job.paths import take_report_path, take_source
from hoaconv.job.planned import Planned
from hoaconv.job.prior_values import read_earlier
from hoaconv.job.resolve import check_outputs, take_workers
from hoaconv.job.target import Branch

__all__ = ["adding_label", "adding_levels"]


def adding_levels(options: Mapping[str, Any]) -> Job:
    """Return the job that adds levels to a store.

    Parameters
    ----------
    options
        All parameters of `hoaconv.add_pyramid`, by name.

    Raises
    ------
    SpellingError, SourceError, StoreError
        As `hoaconv.add_pyramid` does.
    """
    running = Running.take(options)
    machine.begin(take_workers(running))
    output = AddedLevels.take(options, path=options["store"])
    take_report_path(running.report)
    check_outputs([output], running, [take_source(options["store"])])
    found = find_image(Path(output.path))
    source = open_source(found.levels[0].path, Reading())
    _check_dtype(source)
    notes = (*source.notes, *_of_labels(found))
    volume = Planned(Plan.read(source), source.spec, notes)
    given = {**output.given(), **running.given()}
    return Job((Branch(str(output.path), volume, output),), running=running, given=_kept(given))


def adding_label(options: Mapping[str, Any]) -> Job:
    """Return the job that adds a label image to a store.

    Parameters
    ----------
    options
        All parameters of `hoaconv.add_labels`, by name.

    Raises
    ------
    SpellingError, SourceError, PlanError, StoreError
        As `hoaconv.add_labels` does.
    """
    running, reading = Running.take(options), Reading.take(options)
    machine.begin(take_workers(running))
    values, chain = Values.take(options), Chain.take(options)
    read_earlier(values.from_report)
    output = AddedLabel.take(options, path=options["store"])
    ops = ops_of(chain)
    take_report_path(running.report)
    check_outputs([output], running, [options["src"]])
    found = find_image(Path(take_source(options["store"])))
    volume = open_planned(options["src"], reading, None)
    plan = behind(volume.plan, ops, open_operands([ops]))
    made = replace(volume, plan=plan, spec=spec_at(plan))
    level = level_of(found, made.spec)
    if level:
        note = f"the label is as large as level {found.names[level]} of the image, and lies there"
        made = replace(made, notes=(*made.notes, note))
    groups = (output, reading, values, running, chain)
    given = {name: value for group in groups for name, value in group.given().items()}
    return Job((Branch(str(output.folder), made, output),), values, running, _kept(given))


def _of_labels(found: Existing) -> Iterator[str]:
    """Give a note on label images, which should have as many levels as their image."""
    for name in found.levels[0].labels:
        yield (
            f"the label image {name} keeps its levels; if the image then has more, add them too: "
            f"hoaconv add-pyramid {found.group / 'labels' / name}"
        )


def _kept(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in given if name not in ("ops", "report", "scratch")}


def _check_dtype(source: Any) -> None:
    """Raise StoreError if voxels of level 0 are read as others than they are."""
    if isinstance(source, ArrayVolume) and source.array.dtype.name != source.spec.dtype.name:
        raise StoreError(
            f"{source.path} holds {source.array.dtype.name} voxels, which hoaconv reads as "
            f"{source.spec.dtype}, and all levels have one dtype: write the image anew with "
            "hoaconv stack-to-omezarr"
        )
