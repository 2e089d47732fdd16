"""Folds of volumes, measured in one sweep by a job of their own."""

from collections.abc import Mapping, Sequence
from typing import Any

from hoaconv.engine.contract import Fold
from hoaconv.engine.run import fold_names
from hoaconv.engine.spec import Plane
from hoaconv.job.job import Job
from hoaconv.job.planned import Planned
from hoaconv.job.target import Branch

__all__ = ["Told", "measured_together"]

Told = tuple[Mapping[str, Any], Plane | None]
"""The value of a fold, and the picture that it has drawn."""


def measured_together(
    asked: Sequence[tuple[Planned, Fold]], budget: str | int | None, workers: int | None
) -> list[Told]:
    """Return what some folds tell of their volumes, in their order.

    Raises
    ------
    BudgetError
        If the sweep doesn't fit the budget.
    SourceError
        If a voxel can't be read.
    """
    names = fold_names([fold for _, fold in asked])
    branches = (
        Branch(name, volume, fold, _both) for name, (volume, fold) in zip(names, asked, strict=True)
    )
    report = Job(tuple(branches)).run(budget=budget, workers=workers)
    return [report[name] for name in names]


def _both(value: Mapping[str, Any], picture: Plane | None) -> Told:
    return value, picture
