"""Chains of ops: put behind a volume, with the operands that they name, and spelled again."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import and_
from typing import Any, cast

from hoaconv.engine import machine
from hoaconv.engine.appended import Appended
from hoaconv.engine.contract import Fold, Op, Scan, Source, Step, Zip
from hoaconv.engine.informed import Informed
from hoaconv.engine.passes.prescan import LONGEST
from hoaconv.engine.plan import Plan
from hoaconv.engine.spec import Spec
from hoaconv.engine.stages import inferred, kind_of
from hoaconv.errors import SpellingError
from hoaconv.io.address import Address
from hoaconv.io.formats.registry import format_of
from hoaconv.io.source import Volume, open_volume
from hoaconv.io.url import is_remote
from hoaconv.job.arrays import array_plan
from hoaconv.job.declared import PathLike
from hoaconv.job.options import Reading
from hoaconv.ops.beside import Beside, is_array
from hoaconv.ops.cropping import Crop
from hoaconv.ops.repeated import Repeat, Repeated
from hoaconv.ops.spelling import parse_op, parse_ops
from hoaconv.ops.terms import Term, Value, shifted
from hoaconv.ops.waiting import Waiting

__all__ = [
    "behind",
    "for_each_z",
    "open_operands",
    "open_source",
    "parse_chain",
    "sources_of",
    "spec_at",
    "specs_of",
    "spelled",
    "spelled_chains",
    "steps_of",
]


def open_source(
    src: PathLike, reading: Reading, *, gpu: bool = False, several: bool = False
) -> Volume | Appended:
    """Open what a path names, read as the options say; headers are read, no voxel is decoded.

    Parameters
    ----------
    several
        Whether all channels and times are wanted that the options don't choose.

    Raises
    ------
    SpellingError
        If an option can't be had, before any file is looked at.
    SourceError
        If the source can't be found or read.
    """
    if is_remote(os.fspath(src)) or format_of(Address.of(src)):
        machine.begin_libraries()
    if reading.append:
        return _appended(src, reading, gpu=gpu)
    return open_volume(
        src,
        slices=reading.range,
        level=reading.level,
        source_axes=reading.source_axes,
        channel=reading.channel,
        time=reading.time,
        series=reading.series,
        rgb=reading.rgb,
        shape=reading.shape,
        dtype=reading.dtype,
        allow_gaps=reading.allow_gaps,
        allow_names=reading.allow_names,
        missing=reading.missing,
        reduce=reading.reduce,
        gpu=gpu,
        credentials=reading.credentials,
        several=several,
    )


def _appended(src: PathLike, reading: Reading, *, gpu: bool) -> Appended:
    """Open several sources in a row."""
    if reading.range is not None:
        raise SpellingError(
            "`range` takes slices of one source, and `append` gives several: crop what they make, "
            'as in `ops="crop 10:20,:,:"`'
        )
    alone = replace(reading, append=())
    return Appended([open_source(one, alone, gpu=gpu) for one in (src, *reading.append)])


def parse_chain(ops: Any) -> tuple[Step, ...]:
    """Return ops from one text, or from a sequence of texts and ops.

    Raises
    ------
    SpellingError
        If an op isn't understood.
    """
    if isinstance(ops, str):
        return parse_ops(ops)
    if isinstance(ops, Step):
        return (ops,)
    if ops is not None and not isinstance(ops, Sequence):
        raise SpellingError(
            f"ops are a text, an op or a list of these, not a {type(ops).__name__}; volumes that "
            "are made already are written by hoaconv.store"
        )
    return tuple(parse_op(op) if isinstance(op, str) else op for op in ops or ())


def open_operands(chains: Iterable[tuple[Step, ...]]) -> dict[str, Volume | Appended]:
    """Open the volumes that ops take beside their own, by path; each is opened once.

    Raises
    ------
    SourceError
        If one can't be read as a volume.
    """
    zips = (op for ops in chains for op in ops if isinstance(op, Zip))
    paths = dict.fromkeys(path for op in zips for path in op.others if isinstance(path, str))
    return {path: open_source(path, Reading()) for path in paths}


def behind(plan: Plan, ops: Iterable[Step], operands: Mapping[str, Source]) -> Plan:
    """Return the plan with ops behind its end, joined with the volumes that they name.

    Raises
    ------
    SpellingError
        If something is no op, or a file that an op names can't be read.
    PlanError
        If another volume has neither the same shape nor one plane.
    """
    for op in ops:
        if not isinstance(op, Step):
            raise SpellingError(
                f"{op!r} is no op; write one such as hoaconv.ops.Gaussian(1.5), or a text such as "
                "'gaussian 1.5'"
            )
        if isinstance(op, Zip):
            spec = spec_at(plan)
            for other in op.others:
                plan &= for_each_z(_plan_of(other, operands), spec)
            plan |= op.join()
            spec_at(plan)  # raises where shapes differ
        else:
            plan = _then(plan, op)
    return plan


def _plan_of(other: str | Beside, operands: Mapping[str, Source]) -> Plan:
    """Return the plan of a volume that an op takes beside its own: a path, a volume or an array."""
    if isinstance(other, str):
        return Plan.read(operands[other])
    if is_array(other.value):
        return array_plan(other.value)
    plan: Plan = other.value.plan
    return plan


def _then(plan: Plan, op: Step) -> Plan:
    """Return the plan with a step behind its end; numbers that it waits for are asked for."""
    if isinstance(op, Waiting) and op.unknown:
        return _informed(plan, op)
    if isinstance(op, Crop):
        for part in op.parts(spec_at(plan)):
            plan |= part
        return plan
    return plan | (op.resolved() if isinstance(op, Op) else cast(Scan, op))  # or another kind


def _informed(plan: Plan, op: Waiting) -> Plan:
    """Return the plan with an op behind its end that waits for folds of other volumes."""
    asked: list[tuple[Plan, Fold]] = []
    terms: dict[str, Term] = {}
    for name, number in op.unknown.items():
        terms[name] = shifted(number.term, len(asked))
        asked += [(volume.plan, fold) for volume, fold in number.asked]
    if op.needs is not None:  # percentiles beside them are asked for in the same way
        words = ((name, getattr(op, name)) for name in op.deferred)
        terms |= {name: Value(len(asked), word) for name, word in words if isinstance(word, str)}
        asked.append((plan, op.needs))
    streams = reduce(and_, (measured for measured, _ in asked), plan)
    return streams | Informed(replace(op, **terms), tuple(fold for _, fold in asked))


def for_each_z(plan: Plan, like: Spec) -> Plan:
    """Return a plan whose planes meet those of `like`: of planes alike, a single one for each z."""
    spec = spec_at(plan)
    if spec.planes > 1 or like.planes == 1 or spec.plane_shape != like.plane_shape:
        return plan
    (end,) = plan.ends
    if isinstance(end.part, Source):
        return Plan.read(Repeated(end.part, like.planes))
    return plan | Repeat(like.planes)


def spec_at(plan: Plan) -> Spec:
    """Return the spec of the planes at a plan's only end.

    Raises
    ------
    PlanError
        If a part refuses what it would get.
    """
    return specs_of(plan)[id(plan.ends[0])]


def specs_of(plan: Plan) -> dict[int, Spec]:
    """Return the spec of the planes of each node, by its id.

    Raises
    ------
    PlanError
        If a part refuses what it would get.
    """
    found: dict[int, Spec] = {}
    for node in plan.nodes():
        taken = tuple(found[id(before)] for before in node.inputs)
        found[id(node)] = inferred(node.part, taken)
    return found


def sources_of(plan: Plan) -> tuple[Source, ...]:
    """Return the sources of a plan, that of its first branch first."""
    return tuple(node.part for node in plan.nodes() if isinstance(node.part, Source))


def steps_of(plan: Plan) -> tuple[Any, ...]:
    """Return the parts that the planes of the plan's only end go through, without sources."""
    (node,) = plan.ends
    found: list[Any] = []
    while node.inputs:
        found.append(node.part)
        node = node.inputs[0]
    return tuple(reversed(found))


def spelled(plan: Plan) -> str:
    """Return the ops of a plan's only end as one text; branches are joined by ``&``."""
    (end,) = plan.ends
    return spelled_chains(plan, folds=True)[id(end)]


def spelled_chains(plan: Plan, *, folds: bool) -> dict[int, str]:
    """Return how the planes of each node are made, by its id, as the prescan spells it.

    Parameters
    ----------
    folds
        Whether folds on the way are told too.
    """
    texts: dict[int, str] = {}
    for node in plan.nodes():
        kind = kind_of(node.part)
        asked = {number for number, _ in kind.asks(node.part) if number}
        inputs = (n for number, n in enumerate(node.inputs) if number not in asked)
        before = " & ".join(filter(None, (texts[id(n)] for n in inputs)))
        own = str(node.part) if folds and kind.measures else kind.spelled(node.part)
        # Branches that part and meet again and again would double the text each time.
        texts[id(node)] = " | ".join(filter(None, (before, own)))[-LONGEST:]
    return texts
