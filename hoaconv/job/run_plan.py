"""The plan of a run: memory, time, disk space, and whether the job can run here."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hoaconv.engine import machine
from hoaconv.engine.estimate import estimate
from hoaconv.engine.schedule import Schedule
from hoaconv.io.leading import Leading
from hoaconv.io.output import OutputSink
from hoaconv.job.resolve import Resolved
from hoaconv.job.schedule_text import text_of_schedule
from hoaconv.job.space import space_refusal
from hoaconv.job.tables import html_of

__all__ = ["RunPlan"]


@dataclass(frozen=True)
class RunPlan:
    """The plan of a run; ``print(plan)`` shows its table.

    Attributes
    ----------
    schedule
        Sweeps, stages, windows and bytes: see `hoaconv.engine.schedule.Schedule`.
    refusals
        The reasons why this machine can't run the job; empty if it can.
    leading
        Times and channels of the source, which are swept one after the other, each as `schedule`
        tells; memory is that of one, time and bytes on disk are those of all.

    Examples
    --------
    >>> plan = hc.plan("slices/", ops="gaussian 1.5 | threshold otsu", budget="2GiB")
    >>> plan.can_run, len(plan.sweeps)  # the first sweep finds the threshold
    (True, 2)
    >>> hc.plan("slices/", budget="1MB").can_run
    False
    """

    schedule: Schedule
    refusals: tuple[str, ...] = ()
    leading: Leading = field(default_factory=Leading)

    @classmethod
    def of(cls, resolved: Resolved) -> "RunPlan":
        """Return the plan of a resolved job, with an estimate of its time."""
        machine.begin_libraries()  # a few chunks are packed
        made, guess = resolved.schedule, estimate(resolved.schedule)
        if guess is not None:
            guess = replace(guess, seconds=guess.seconds * resolved.leading.count)
        full = space_refusal(made, guess)
        refusals = (*resolved.refusals, full) if full else resolved.refusals
        return cls(replace(made, estimate=guess), refusals, resolved.leading)

    @property
    def can_run(self) -> bool:
        """True if this machine can run the job."""
        return not self.refusals

    @property
    def projected(self) -> int:
        """The most memory that the process will hold, in bytes."""
        return self.schedule.projected

    @property
    def budget(self) -> int:
        """The memory in bytes that the process may hold."""
        return self.schedule.limits.budget

    @property
    def smallest_budget(self) -> int:
        """The smallest budget in bytes that fits, as `describe` names it."""
        return self.schedule.smallest_budget

    @property
    def least(self) -> int:
        """The smallest budget that is enough, in bytes."""
        return self.schedule.smallest_budget

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Paths of the images, or other outputs, to write; the main one is the last."""
        return tuple(sink.path for sink in self.schedule.sinks if isinstance(sink, OutputSink))

    @property
    def sweeps(self) -> Sequence[Any]:
        """Sweeps, in their order."""
        return self.schedule.sweeps

    @property
    def notes(self) -> tuple[str, ...]:
        """The reason for each fusion, window and mid-write, a line each."""
        return self.schedule.notes

    def explain(self) -> str:
        """Return the reason for each fusion, window and mid-write, a line each.

        Examples
        --------
        >>> hc.plan("slices/", budget="2GiB").explain().splitlines()[-1]
        'nothing waits in scratch: every sweep fits the budget whole'
        """
        return self.schedule.explain()

    def describe(self) -> dict[str, Any]:
        """Return the whole plan as numbers, texts, lists and dicts, which JSON can hold.

        Examples
        --------
        >>> hc.plan("slices/").describe()["can_run"]
        True
        """
        return {
            **self.schedule.describe(),
            "volumes": dict(zip(self.leading.axes, self.leading.shape, strict=True)),
            "can_run": self.can_run,
            "refusals": list(self.refusals),
            "refusal": "\n".join(self.refusals) or None,
        }

    def text(self, *, whole: bool = True) -> str:
        """Return the table of the plan.

        Parameters
        ----------
        whole
            If True, the table has all stages, and the memory that each of them holds.

        Examples
        --------
        >>> plan = hc.plan("slices/")
        >>> len(plan.text()) > len(plan.text(whole=False))
        True
        """
        volumes = [f"volumes   {self.leading.told}, one after the other"]
        told = text_of_schedule(self.schedule, self.refusals, whole=whole)
        return "\n".join([*(volumes if self.leading.axes else []), told])

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return html_of(self.text(whole=False))
