"""Schedules of any sizes, and what the buffers of their runs hold against what is counted."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from unittest.mock import patch

import numpy as np
from hypothesis import strategies as st

from hoaconv.engine.bands import bands
from hoaconv.engine.contract import Economy
from hoaconv.engine.leads import with_leads
from hoaconv.engine.memory import uses
from hoaconv.engine.ring import Ring
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Schedule, Stage, Sweep
from hoaconv.engine.stages import At, Running
from hoaconv.engine.stages.op import block_spec


def volume_of(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, shape, dtype=np.int32)


strides = st.integers(1, 8) | st.lists(st.integers(1, 16), min_size=1, max_size=4)
"""One stride of all ops, or several, which the ops take in turns."""

leads = st.none() | st.integers(0, 15)
"""Leads that follow from the strides, or any."""


def with_sizes(
    made: Schedule, stride: int | Sequence[int], rows: int, ahead: int, lead: int | None = None
) -> Schedule:
    """The schedule with other sizes than `fit` has chosen."""

    def changed(sweep: Sweep) -> Sweep:
        in_turns = cycle([stride] if isinstance(stride, int) else stride)
        sizes = ((s, next(in_turns) if s.kind == "op" else 1) for s in sweep.stages)
        stages = tuple(
            replace(s, stride=size, rows=rows, lead=(lead or 0) % size) for s, size in sizes
        )
        sized = replace(sweep, stages=stages, ahead=ahead)
        sized = with_leads(sized) if lead is None else sized
        return replace(sized, uses=uses(sized))

    return replace(made, sweeps=tuple(map(changed, made.sweeps)))


def with_economy(made: Schedule, economy: Economy) -> Schedule:
    """The schedule with another economy than `fit` has chosen."""

    def changed(sweep: Sweep) -> Sweep:
        thrifty = replace(sweep, economy=economy)
        return replace(thrifty, uses=uses(thrifty))

    return replace(made, sweeps=tuple(map(changed, made.sweeps)))


def held_and_counted(made: Schedule) -> tuple[int, int]:
    """Run a schedule of one sweep: bytes that its buffers have held, and those of the model.

    No plane may need memory beside the ring of its op.
    """
    sweeps: list[Running] = []
    with (
        patch("hoaconv.engine.run.Running", recording(sweeps)),
        patch.object(Ring, "_elsewhere", side_effect=AssertionError("a slot wasn't free")),
    ):
        run(made)
    return sweeps[0].buffers.held, buffer_bytes(made.sweeps[0])


def recording(sweeps: list[Running]):
    """`Running`, noting those that are made."""

    def make(*args, **kwargs) -> Running:
        sweeps.append(Running(*args, **kwargs))
        return sweeps[-1]

    return make


def buffer_bytes(made: Sweep) -> int:
    """What the model counts, less what doesn't come from the buffers: ops' own scratch."""
    others = ("process", "engine", "keep", "outputs")
    counted = sum(use.nbytes for use in made.uses if use.who not in others)
    own = sum(_threads(made, s) * _own(made, s) for s in made.stages)
    scans = [s for s in made.stages if s.kind == "scan"]
    states = sum(s.part.state_bytes(made.spec_in(s)) for s in scans)
    return counted - own - states


def _own(made: Sweep, stage: Stage) -> int:
    """What a call of a stage's part allocates."""
    if stage.kind == "op":
        return stage.part.work(block_spec(At(0, stage, (made.spec_in(stage),))))
    if stage.kind == "resample":
        return stage.part.work(made.spec_in(stage))
    if stage.kind == "join":
        return stage.part.work(*(made.spec_of(made.stages[i]) for i in stage.inputs))
    return 0


def _threads(made: Sweep, stage: Stage) -> int:
    return min(made.limits.workers + 1, len(bands(made.spec_of(stage).plane_shape[0], stage.rows)))
