"""From plan to schedule: pure functions from draft to draft, in one order, each idempotent."""

from collections.abc import Callable
from dataclasses import replace

from hoaconv.engine import stop
from hoaconv.engine.passes.check import check
from hoaconv.engine.passes.choose import choose
from hoaconv.engine.passes.fit import fit
from hoaconv.engine.passes.fuse import fuse
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.passes.measure import measure
from hoaconv.engine.passes.sample import sample
from hoaconv.engine.passes.split import split
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits, Schedule, Sweep

__all__ = ["PASSES", "schedule"]

Pass = Callable[[Schedule], Schedule]


def each(step: Callable[[Sweep], Sweep]) -> Pass:
    """A pass that looks at one sweep at a time."""

    def run(draft: Schedule) -> Schedule:
        return replace(draft, sweeps=tuple(map(step, draft.sweeps)))

    run.__name__ = step.__name__
    return run


PASSES: tuple[Pass, ...] = (
    each(infer),  # first: all others read the specs
    measure,  # while ops are still single stages
    each(choose),  # once chains of ops have named what they look for, and before slices are drawn
    sample,  # as soon as there are sweeps that only measure
    each(fuse),  # before sizes are chosen, since it changes who holds what
    each(fit),  # needs the final stages
    split,  # needs to know what doesn't fit
    check,  # last: the gate that changes nothing
)


def schedule(plan: Plan, limits: Limits, *, checked: bool = True) -> Schedule:
    """Run the passes.

    Parameters
    ----------
    checked
        Whether a schedule that doesn't fit the budget is refused.

    Raises
    ------
    PlanError
        If stages don't go together.
    BudgetError
        If the run doesn't fit.
    """
    draft = Schedule.draft(plan, limits)
    for step in PASSES if checked else PASSES[:-1]:
        stop.raise_if_asked()
        draft = step(draft)
    return draft
