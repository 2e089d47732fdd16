"""Kinds answer for their stages: a kind from outside is planned, counted, run and estimated."""

import ast
import pickle
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Add, Box, Desk, Lag, Slope, SubtractMost, Total, Tray, box_sum
from sized import held_and_counted, leads, strides, with_sizes

from hoaconv import engine
from hoaconv.engine.contract import Part, Use
from hoaconv.engine.estimate import estimate
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run, warm
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import Spec
from hoaconv.engine.stages import Kind, register
from hoaconv.engine.stream import gather, map
from hoaconv.errors import PlanError


@dataclass(frozen=True)
class Repeat(Part):
    """Each plane `times` times."""

    kind: ClassVar[str] = "repeat"
    times: int = 2

    def __str__(self) -> str:
        return f"repeat {self.times}"


class RepeatKind(Kind[Repeat]):
    """Answers for repeats; knows nothing that the engine doesn't tell to anybody."""

    name = "repeat"
    has_own_pace = True
    is_value = True

    def infer(self, part, inputs):
        (spec,) = inputs
        return Spec((spec.planes * part.times, *spec.plane_shape), spec.dtype)

    def is_local(self, part, spec):
        return False

    def needed(self, at, results):
        return -(-results // at.part.times)

    def keeps(self, at):
        return 1

    def uses(self, at, share):
        return (Use(str(at.part), "planes", share.kept * at.given.plane_bytes),)

    def lower(self, at, inputs, running):
        wanted = (range(z // at.part.times, z // at.part.times + 1) for z in range(at.given.planes))
        return map(partial(self._copy, running), gather(inputs[0], wanted))

    def trial(self, at, planes, trial):
        return 0.125, planes[0]

    @staticmethod
    def _copy(running, planes):
        if planes is None:
            return None
        out = running.buffers.take(planes[0].shape, planes[0].dtype)
        out[...] = planes[0]
        return out


@dataclass(frozen=True)
class EveryOther(Repeat):
    """Every other plane."""

    kind: ClassVar[str] = "every other"

    def __str__(self) -> str:
        return "every other"


class EveryOtherKind(RepeatKind):
    name = "every other"

    def infer(self, part, inputs):
        (spec,) = inputs
        return Spec((-(-spec.planes // 2), *spec.plane_shape), spec.dtype)

    def needed(self, at, results):
        return 2 * results - 1

    def lower(self, at, inputs, running):
        wanted = (range(2 * z, 2 * z + 1) for z in range(at.given.planes))
        return map(partial(self._copy, running), gather(inputs[0], wanted))


register(RepeatKind())
register(EveryOtherKind())

SOURCE = Slope((17, 9, 6))

parts = st.one_of(
    st.builds(Repeat, st.integers(1, 3)),
    st.just(EveryOther()),
    st.builds(Add, st.integers(0, 3)),
    st.builds(Box, st.tuples(st.integers(0, 3), st.integers(0, 2), st.just(0))),
    st.builds(Lag, st.integers(0, 4), st.booleans()),
)
chains = st.lists(parts, max_size=4)


def applied(volume, part):
    match part:
        case EveryOther():
            return volume[::2]
        case Repeat():
            return np.repeat(volume, part.times, axis=0)
        case Add():
            return volume + part.value
        case Box():
            return box_sum(volume, part.radius)
        case Lag():
            return volume.cumsum(axis=0, dtype=np.int32)
        case _:
            return volume - max(0, volume.max())


def made_by(chain):
    volume = SOURCE.volume
    for part in chain:
        volume = applied(volume, part)
    return volume


def follow(plan, chain):
    for part in chain:
        plan |= part
    return plan


@settings(max_examples=60)
@given(
    one=chains,
    other=chains,
    stride=strides,
    lead=leads,
    rows=st.integers(1, 12),
    ahead=st.integers(0, 4),
    workers=st.integers(1, 3),
)
def test_a_kind_from_outside_runs_in_counted_memory(one, other, stride, lead, rows, ahead, workers):
    trays = Tray("one"), Tray("other")
    planes = Plan.read(SOURCE)
    plan = follow(planes, one) | Total() | trays[0]
    plan &= follow(planes, other) | trays[1]
    made = with_sizes(schedule(plan, Limits(1 << 30, workers, 0)), stride, rows, ahead, lead)
    held, counted = held_and_counted(made)
    assert held <= counted
    outputs = run(made).outputs
    for tray, chain in zip(trays, (one, other), strict=True):
        assert np.array_equal(outputs[tray]["volume"], made_by(chain))


CHAIN = [Box((2, 1, 1)), Repeat(3), Box((4, 1, 0)), SubtractMost(), EveryOther(), Box((3, 1, 0))]


def test_it_is_cut_sent_explained_and_estimated_as_all_others():
    tray = Tray("tray")
    plan = follow(Plan.read(SOURCE), CHAIN) | tray
    warm(Plan.read(SOURCE) | Repeat(3) | EveryOther() | Total() | tray)
    ample = schedule(plan, Limits(1 << 40, 2, 0, Desk()))
    made = schedule(plan, Limits(ample.least, 2, 0, Desk()))
    assert ample.projected > made.projected == ample.least
    assert any(stage.after for sweep in made.sweeps for stage in sweep.stages)
    sent = pickle.loads(pickle.dumps(made))
    assert sent == made
    assert np.array_equal(run(sent).outputs[tray]["volume"], made_by(CHAIN))
    rows = [row for sweep in made.describe()["sweeps"] for row in sweep["stages"]]
    assert {"repeat", "every other"} < {row["kind"] for row in rows}
    assert "box (2, 1, 1) | repeat 3 | box (4, 1, 0) | subtract-most" in run(made).found
    count = sum(row["shape"][0] for row in rows if row["kind"] == "repeat")
    assert estimate(made).work["repeat 3"] == pytest.approx(0.125 * count)


def test_a_sample_is_refused_behind_what_depends_on_all_planes():
    plan = follow(Plan.read(SOURCE), [Repeat(2), SubtractMost()]) | Tray("tray")
    with pytest.raises(PlanError, match="behind 'repeat 2'"):
        schedule(plan, Limits(1 << 40, 2, 0, sample=5))


def test_a_kind_that_nobody_has_registered_is_refused():
    class Unknown(Part):
        kind: ClassVar[str] = "unknown"

    with pytest.raises(PlanError, match="register"):
        Plan.read(SOURCE) | Unknown()


CONTRACT = {"Source", "Op", "Resample", "Scan", "Join", "Fold", "Sink", "Hold", "Fused", "Unbound"}
ENGINE = Path(engine.__file__).parent
OUTSIDE = [file for file in ENGINE.rglob("*.py") if "stages" not in file.parts]


@pytest.mark.parametrize("file", OUTSIDE, ids=lambda file: str(file.relative_to(ENGINE)))
def test_the_engine_asks_kinds_instead_of_telling_them_apart(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"isinstance", "type"}:
            named = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            assert not named & CONTRACT, f"{file}:{node.lineno}"
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            attributes = {side.attr for side in sides if isinstance(side, ast.Attribute)}
            assert "kind" not in attributes, f"{file}:{node.lineno}"
