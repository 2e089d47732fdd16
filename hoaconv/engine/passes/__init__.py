"""From plan to schedule: pure functions from draft to draft, in one order, each idempotent."""

from collections.abc import Callable

from hoaconv.engine.passes.check import check
from hoaconv.engine.passes.fit import fit
from hoaconv.engine.passes.fuse import fuse
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits, Schedule

__all__ = ["PASSES", "schedule"]

PASSES: tuple[Callable[[Schedule], Schedule], ...] = (
    infer,  # first: all others read the specs
    fuse,  # before sizes are chosen, since it changes who holds what
    fit,  # needs the final stages
    check,  # last: the gate that changes nothing
)


def schedule(plan: Plan, limits: Limits) -> Schedule:
    """Run the passes.

    Raises
    ------
    PlanError
        If stages don't go together.
    BudgetError
        If the run doesn't fit.
    """
    draft = Schedule.draft(plan, limits)
    for step in PASSES:
        draft = step(draft)
    return draft
