"""From plan to schedule: pure functions from draft to draft, in one order, each idempotent."""

from collections.abc import Callable
from dataclasses import replace

from hoaconv.engine import stop
from hoaconv.engine.part import named
from hoaconv.engine.passes import check, fit, fuse, infer, prescan, pushdown, require, sample, split
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits, Schedule, Sweep
from hoaconv.errors import PlanError

__all__ = ["PASSES", "schedule"]

Pass = Callable[[Schedule], Schedule]


def each(step: Callable[[Sweep], Sweep]) -> Pass:
    """Return a pass that applies `step` to each sweep."""

    def run(draft: Schedule) -> Schedule:
        return replace(draft, sweeps=tuple(map(step, draft.sweeps)))

    run.__name__ = step.__name__
    return run


PASSES: tuple[Pass, ...] = (
    each(infer.infer),  # first: all others read the specs
    each(require.require),  # before anything asks what stands where
    prescan.prescan,  # while ops are still single stages
    each(pushdown.pushdown),  # once chains are named that look for values, before slices are drawn
    sample.sample,  # as soon as there are sweeps that only measure
    each(fuse.fuse),  # before sizes are chosen, since it changes who holds what
    each(fit.fit),  # needs the final stages
    split.split,  # needs to know what doesn't fit
    check.check,  # last: the gate that changes nothing
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
        If stages don't go together, or `plan` is no plan.
    BudgetError
        If the run doesn't fit.
    """
    if not isinstance(plan, Plan):
        raise PlanError(
            f"schedule takes a plan, such as Plan.read(source) | sink, not {named(plan)}"
        )
    draft = Schedule.draft(plan, limits)
    for step in PASSES if checked else PASSES[:-1]:
        stop.raise_if_asked()
        draft = step(draft)
    return draft
