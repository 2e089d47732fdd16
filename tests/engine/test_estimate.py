"""The estimate tries every stage, reads few slices, all workers at once, and writes nothing."""

from dataclasses import dataclass, field, replace
from threading import Barrier, Lock
from time import sleep

import numpy as np
import pytest
from in_memory import Add, Box, Desk, InMemory, Shelf, SubtractMost, Total

from hoaconv.engine import machine, stop
from hoaconv.engine.combine import Combine
from hoaconv.engine.estimate import estimate
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits
from hoaconv.engine.stages import trial
from hoaconv.ops.measure import Histogram
from hoaconv.ops.pointwise import Cast
from hoaconv.ops.sampling import Resize


@pytest.fixture(autouse=True)
def _four_cpus(monkeypatch) -> None:
    monkeypatch.setattr(machine, "cpus", lambda: 4)


VOLUME = np.random.default_rng(3).integers(0, 99, (20, 33, 7), dtype=np.int32)


def test_every_stage_of_every_sweep_is_tried() -> None:
    source, sink, desk = InMemory(VOLUME), Shelf(), Desk()
    planes = Plan.read(source)
    both = (planes | Box((3, 1, 1)) | SubtractMost()) & (planes | Add(2) | Box((4, 0, 0)))
    plan = both | Combine(np.subtract) | Box((5, 0, 0)) | Total() | sink
    least = schedule(plan, Limits(1 << 40, 2, 0, desk)).least
    made = schedule(plan, Limits(least, 2, 0, desk))
    assert len(made.sweeps) > 2
    found = estimate(made)
    parts = {str(stage.part) for sweep in made.sweeps for stage in sweep.stages}
    assert set(found.work) == parts
    assert min(found.work.values()) >= 0
    assert found.work["keep"] == pytest.approx(0.25 * len(VOLUME))
    assert found.seconds == pytest.approx(sum(found.work.values()) / 2)
    assert sorted(source.reads) == [0, 6, 12, 19]
    assert not sink.planes


def test_a_source_is_decoded_once_for_all_sweeps_and_counted_in_each() -> None:
    source = InMemory(VOLUME[:1])
    made = schedule(Plan.read(source) | SubtractMost() | Shelf(), Limits(1 << 40, 1))
    found = estimate(made)
    assert source.reads == [0]
    assert set(found.work) == {"memory", "most", "subtract-most", "keep"}


@pytest.mark.parametrize(("workers", "reads"), [(1, [0, 9, 19]), (4, [0, 6, 12, 19])])
def test_all_workers_decode_at_once_as_they_will(workers, reads) -> None:
    class Shared(InMemory):
        """A slice is there when every worker has asked for one."""

        def read(self, z, out) -> None:
            together.wait(timeout=10)
            super().read(z, out)

    together, source = Barrier(workers), Shared(VOLUME)
    estimate(schedule(Plan.read(source) | Shelf(), Limits(1 << 40, workers)))
    assert sorted(source.reads) == reads


class Alone(InMemory):
    """A slice takes a while, and no other is decoded meanwhile."""

    def __init__(self, volume) -> None:
        super().__init__(volume)
        self.lock = Lock()

    def read(self, z, out) -> None:
        assert self.lock.acquire(blocking=False)
        sleep(0.02)
        super().read(z, out)
        self.lock.release()


def test_no_more_decode_at_once_than_the_plan_counts() -> None:
    source = Alone(VOLUME)
    made = schedule(Plan.read(source) | Shelf(), Limits(1 << 40, 4))
    estimate(replace(made, sweeps=tuple(replace(sweep, ahead=0) for sweep in made.sweeps)))
    assert sorted(source.reads) == [0, 9, 19]


@pytest.mark.parametrize(("name", "value"), [("cpus", 1), ("memory_limit", 0)])
def test_no_more_decode_at_once_than_this_machine_can(monkeypatch, name, value) -> None:
    source = Alone(VOLUME)
    made = schedule(Plan.read(source) | Shelf(), Limits(1 << 40, 4))
    monkeypatch.setattr(machine, name, lambda: value)
    estimate(made)
    assert sorted(source.reads) == [0, 9, 19]


@dataclass(frozen=True)
class Slow(Box):
    """Notes what it is given, and takes a while for each column."""

    given: list[tuple[int, ...]] = field(default_factory=list, compare=False)

    def apply(self, block, core, out) -> None:
        self.given.append(block.shape)
        sleep(0.0002 * block.shape[2])
        super().apply(block, core, out)


WIDE = np.random.default_rng(3).integers(0, 99, (4, 60, 4000), dtype=np.uint16)


def test_large_planes_are_cut_for_a_trial(monkeypatch) -> None:
    slow = Slow((1, 1, 0))
    stages = [slow, Histogram(), Cast("uint16"), Resize(3.0), Histogram(), Total()]
    plan = Plan.read(InMemory(WIDE)) | Shelf()
    for stage in stages:
        plan |= stage
    made = schedule(plan, Limits(1 << 40, 2))
    monkeypatch.setattr(trial, "PLANE_BYTES", 1 << 18)
    assert WIDE[0].nbytes < trial.WHOLE_BYTES
    found = estimate(made)
    assert set(found.work) == {str(stage.part) for stage in made.sweeps[0].stages}
    assert max(2 * int(np.prod(shape)) for shape in slow.given) <= 2 * trial.PLANE_BYTES
    monkeypatch.setattr(trial, "WHOLE_BYTES", WIDE[0].nbytes - 1)
    assert estimate(made) is None


def test_what_takes_long_is_tried_on_a_part_and_scaled(monkeypatch) -> None:
    slow = Slow((0, 1, 0))
    made = schedule(Plan.read(InMemory(WIDE)) | slow | Shelf(), Limits(1 << 40, 2))
    monkeypatch.setattr(trial, "LONG", 0.5)
    band = made.sweeps[0].stages[1].rows
    found = estimate(made)
    assert [shape[2] for shape in slow.given] == [trial.LEAST_COLUMNS]
    assert found.work[str(slow)] >= 0.0002 * WIDE.shape[2] * WIDE.shape[1] / band * len(WIDE)


def test_a_wish_to_stop_is_heard_between_trials(monkeypatch) -> None:
    class Asks(InMemory):
        def read(self, z, out) -> None:
            stop.ask(2)
            super().read(z, out)

    slow = Slow((0, 1, 0))
    made = schedule(Plan.read(Asks(VOLUME)) | slow | Shelf(), Limits(1 << 40, 2))
    try:
        with pytest.raises(KeyboardInterrupt):
            estimate(made)
    finally:
        stop.forget()
    assert not slow.given
