"""The gate: changes nothing, refuses what doesn't fit.

It is equation 2 of Sporring and Stansby (2026), M{f} < m, but the budget itself may be reached.
"""

from hoaconv.engine.contract import Use
from hoaconv.engine.schedule import Schedule
from hoaconv.errors import BudgetError
from hoaconv.units import format_bytes

__all__ = ["check"]


def check(draft: Schedule) -> Schedule:
    """Return the draft as it is, if it keeps to equation 2: what it holds is below the budget.

    Raises
    ------
    BudgetError
        If it holds more than the budget: with the consumers, worst first, and the smallest
        budget that fits.
    """
    if draft.projected <= draft.limits.budget:
        return draft
    uses = sorted(draft.worst.uses, key=lambda use: -use.nbytes)
    rows = "\n".join(_row(use) for use in uses if use.nbytes)
    enough = draft.smallest_budget
    raise BudgetError(
        f"the run needs at least {format_bytes(enough)}, "
        f"the budget is {format_bytes(draft.limits.budget)}:\n{rows}\n"
        f'Smallest budget that fits: `budget="{enough // 10**6}MB"`. Smaller chunks along z, or '
        "fewer workers, need less."
    )


def _row(use: Use) -> str:
    return f"  {format_bytes(use.nbytes):>8}  {use.who}: {use.what}"
