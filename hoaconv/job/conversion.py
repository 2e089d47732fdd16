"""The options of a conversion become a job."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from hoaconv.engine import machine
from hoaconv.engine.appended import Appended
from hoaconv.engine.contract import Step
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.plan import Plan
from hoaconv.errors import SpellingError
from hoaconv.io.jp2_gpu import check_gpu
from hoaconv.io.source import Volume
from hoaconv.job.also import also_of
from hoaconv.job.chain import behind, open_operands, open_source, parse_chain, spec_at
from hoaconv.job.declared import Options, PathLike
from hoaconv.job.job import Job
from hoaconv.job.kept_labels import labels_kept
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.options import (
    Chain,
    Labels,
    Reading,
    Running,
    Values,
    Voxels,
)
from hoaconv.job.output import Output
from hoaconv.job.paths import take_module, take_report_path, take_source
from hoaconv.job.planned import Planned
from hoaconv.job.prior_values import read_earlier
from hoaconv.job.resolve import check_outputs, take_workers
from hoaconv.job.target import Branch
from hoaconv.job.voxel_size import choose_geometry
from hoaconv.ops.own import load_ops

__all__ = ["conversion", "open_planned", "ops_of"]

Ops = tuple[Step, ...]


def conversion(
    options: Mapping[str, Any], to: type[Output] = OmeZarr, *, planning: bool = False
) -> Job:
    """Return the job of a conversion: options are checked first, then outputs, then headers.

    Parameters
    ----------
    options
        All parameters of a verb such as `hoaconv.stack_to_omezarr`, by name.
    to
        The kind of output that the verb makes.
    planning
        Whether outputs that can't be made are left for the plan to tell.

    Raises
    ------
    SpellingError, SourceError, PlanError, StoreError
        As `hoaconv.stack_to_omezarr` does.
    """
    running = Running.take(options)
    machine.begin(take_workers(running))
    values, reading, voxels = Values.take(options), Reading.take(options), Voxels.take(options)
    read_earlier(values.from_report)
    chains = _chains(options, to)
    outputs = [output for output, _ in chains]
    if not planning:
        _check_early(outputs, running, (options["src"], *reading.append))
    volume = open_planned(options["src"], reading, voxels, several=to.takes_several)
    operands = open_operands(ops for _, ops in chains)
    branches = []
    for output, ops in chains:
        plan = behind(volume.plan, ops, operands)
        made = replace(volume, plan=plan, spec=spec_at(plan))
        branches.append(Branch(str(output.path), made, output))
    taken = {Path(output.path).name.casefold() for output in outputs if output.is_part}
    main, ops = chains[0]
    if isinstance(main, OmeZarr):  # slices and single files have no place for labels
        for name, label in labels_kept(volume, ops, reading, taken):
            of_label = main.label(name)
            branches.append(Branch(str(of_label.path), label, of_label))
    groups: Sequence[Options] = (outputs[0], reading, voxels, values, running)
    return Job(tuple(branches), values, running, _given(groups, options))


def _check_early(outputs: Sequence[Output], running: Running, sources: Sequence[PathLike]) -> None:
    """Refuse outputs that can't be made before headers are read, which may take minutes."""
    take_report_path(running.report)
    check_outputs(outputs, running, sources)
    for output in (output for output in outputs if not output.is_part):
        output.check_free()


def ops_of(chain: Chain) -> Ops:
    """Return the ops of a chain; those of the user's own module are declared first."""
    if chain.ops_module is not None:
        load_ops(take_module(chain.ops_module))
    return parse_chain(chain.ops)


def open_planned(
    src: PathLike, reading: Reading, voxels: Voxels | None, *, several: bool = False
) -> Planned:
    """Open a source; with `voxels` its notes say which voxel size is used.

    Parameters
    ----------
    several
        Whether all channels and times are wanted that the options don't choose; the volume is then
        that of the first ones.
    """
    gpu = reading.decoder == "nvimgcodec"
    if gpu:
        check_gpu()
    source = open_source(take_source(src), reading, gpu=gpu, several=several)
    if voxels is None:
        return Planned(Plan.read(source), source.spec, source.notes)
    geometry, note = _geometry(voxels, source)
    placed = source.at(geometry)
    return Planned(Plan.read(placed), placed.spec, (*placed.notes, note))


def _geometry(voxels: Voxels, source: Volume | Appended) -> tuple[Geometry, str]:
    return choose_geometry(voxels.voxel_size, voxels.unit, source, voxels.orientation)


def _chains(options: Mapping[str, Any], to: type[Output]) -> list[tuple[Output, Ops]]:
    """Return the outputs and their ops: the main one, others of its kind, labels."""
    labels = Labels.take(options)
    main = to.take(options, path=options["dst"])
    ops = ops_of(Chain.take(options))
    of_labels = _branches(labels.label, "label")
    others = also_of(labels.also)
    return [
        (main, ops),
        *((replace(main, path=path, **own), parse_chain(of)) for path, own, of in others),
        *((cast(OmeZarr, main).label(name), branch) for name, branch in of_labels.items()),
    ]


def _branches(branches: Mapping[str, Any] | Sequence[str], option: str) -> dict[str, Ops]:
    """Return names and ops of ``NAME=OPS`` words, or of a mapping.

    Raises
    ------
    SpellingError
        If a word has no ``=``, a name is no name or given twice, or the ops aren't understood.
    """
    branches = [branches] if isinstance(branches, str) else branches or ()
    if isinstance(branches, Mapping):
        pairs = [(str(name).strip(), "=", ops) for name, ops in branches.items()]
    else:
        words = [word.partition("=") for word in branches]
        pairs = [(name.strip(), equals, ops) for name, equals, ops in words]
    if not all(name and equals for name, equals, _ in pairs):
        raise SpellingError(f'`{option}` is written NAME="OPS", as in bone="threshold 20000"')
    names = [name for name, _, _ in pairs]
    if len({name.casefold() for name in names}) < len(names):  # one folder on some file systems
        raise SpellingError(f"`{option}` names one output twice: {', '.join(names)}")
    return {name: parse_chain(ops) for name, _, ops in pairs}


def _given(groups: Sequence[Options], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, for the provenance of what is written."""
    given: dict[str, Any] = {}
    for group in (*groups, Labels.take(options), Chain.take(options)):
        given |= group.given()
    return {name: given[name] for name in given if name not in ("ops", "report", "scratch")}
