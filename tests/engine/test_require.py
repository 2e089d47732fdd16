"""Folds that a sink requires are measured just before it, once, and given to its writer."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from in_memory import Add, Desk, InMemory, Keep, Most, Total
from in_memory import Box as Blur

from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits

VOLUME = np.random.default_rng(1).integers(0, 200, (20, 9, 6), dtype=np.int32)
PLENTY = Limits(1 << 40, 2, 0)


@dataclass(frozen=True, eq=False)
class Summing(Keep):
    """Wants to know the sum of what it keeps."""

    told: list[object] = field(default_factory=list)

    def requires(self, spec):
        return (Total(),)

    def open(self, spec, pool, buffers, economy):
        writer = super().open(spec, pool, buffers, economy)
        close = writer.close

        def closed(folds):
            self.told.append(dict(folds))
            return close(folds)

        writer.close = closed
        return writer


@pytest.mark.parametrize(
    ("before", "count"),
    [
        ([], 1),
        ([Total()], 1),
        ([Total(), Most(), Keep()], 1),
        ([Most()], 1),
        ([Total(), Add(1)], 2),
        ([Add(1), Blur(), Total(), Blur()], 2),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else str(value),
)
@pytest.mark.parametrize("short", [False, True])
def test_a_required_fold_sees_what_the_sink_gets_and_no_fold_is_doubled(before, count, short):
    sink, plan = Summing(), Plan.read(InMemory(VOLUME))
    for part in before:
        plan |= part
    made = schedule(plan | sink, Limits(1 << 40, 2, 0, Desk()))
    if short:
        made = schedule(plan | sink, Limits(made.least, 2, 0, Desk()))
    totals = [s for sweep in made.sweeps for s in sweep.stages if s.part == Total()]
    assert len(totals) == count
    outcome = run(made)
    assert sink.told == [{Total(): {"sum": int(sink.volume.astype(np.int64).sum())}}]
    assert (
        outcome.outputs[sink]["folds"]["total" if count == 1 else "total (2)"]
        == (sink.told[0][Total()])
    )


class Other(Total):
    """Sums up under another name, which `Easy` doesn't mind."""

    word = "other"


class Easy(Summing):
    def serves(self, fold, required):
        return isinstance(fold, Total)


def test_a_sink_says_which_folds_serve():
    easy, strict = Easy(), Summing()
    plan = Plan.read(InMemory(VOLUME)) | Other() | easy | strict
    made = schedule(plan, PLENTY)
    assert [str(s.part) for s in made.sweeps[0].stages] == [
        "memory",
        "other",
        "keep",
        "total",
        "keep",
    ]
    run(made)
    assert easy.told == strict.told == [{Total(): {"sum": int(VOLUME.sum())}}]


def test_a_fold_beside_the_sink_measures_other_planes_or_the_same_again():
    sink, planes = Summing(), Plan.read(InMemory(VOLUME))
    made = schedule((planes | Total()) & (planes | sink) & (planes | Add(1) | Keep()), PLENTY)
    assert [str(stage.part) for stage in made.sweeps[0].stages].count("total") == 2
    run(made)
    assert sink.told == [{Total(): {"sum": int(VOLUME.sum())}}]
