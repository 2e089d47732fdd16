"""Plans run from Python: under a budget, with notes as warnings."""

import warnings
from collections.abc import Mapping
from typing import Any

from hoaconv.chains import teller, warm_up
from hoaconv.engine import machine
from hoaconv.engine.contract import Fold
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import Outcome, run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import Plane, Spec
from hoaconv.options import take_budget, take_workers
from hoaconv.report import Watcher

__all__ = ["Told", "run_folds", "run_plan", "told_by"]

Told = tuple[Mapping[str, Any], Plane | None]
"""The value of a fold, and the picture that it has drawn."""


def run_plan(plan: Plan, spec: Spec, budget: str | int | None, workers: int | None) -> Outcome:
    """Run a plan; `spec` is that of the volume, for the progress.

    Raises
    ------
    BudgetError
        If it doesn't fit the budget.
    SourceError
        If a voxel can't be read.
    """
    machine.share_malloc_arena()  # before any thread begins: an arena, once made, stays
    threads, watcher = take_workers(workers), _Warner()
    machine.begin(threads)
    warm_up(plan, watcher)
    made = schedule(plan, Limits(take_budget(budget), threads))
    with teller(watcher, spec, made) as tell:
        return run(made, tell)


def run_folds(
    plan: Plan, spec: Spec, budget: str | int | None, workers: int | None
) -> tuple[Told, ...]:
    """Run a plan all of whose ends are folds; return what these tell, in their order."""
    return told_by(plan, run_plan(plan, spec, budget, workers))


def told_by(plan: Plan, outcome: Outcome) -> tuple[Told, ...]:
    """Return what the folds at the ends of a plan tell; other ends are passed over."""
    folds = [id(node) for node in plan.nodes() if isinstance(node.part, Fold)]
    places = [folds.index(id(end)) for end in plan.ends if isinstance(end.part, Fold)]
    return tuple((outcome.folds[i], outcome.drawn[i]) for i in places)


class _Warner(Watcher):
    """Tells notes as Python's warnings."""

    def note(self, text: str) -> None:
        warnings.warn(text, stacklevel=2)
