"""A job is a value: volumes, what becomes of each in one sweep, and what a run may take.

    job = hoaconv.open("slices/") | "gaussian 1.5" | hoaconv.OmeZarr("smooth.zarr")
    print(job.plan(budget="8GiB"))
    report = job.run(budget="8GiB")

Building a job reads headers. `Job.plan` and `Job.run` look at the files that it takes and makes
(`hoaconv.job.resolve`); only `Job.run` writes.
"""

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from threading import Event
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.job.arrays import ArraySource
from hoaconv.job.declared import PathLike
from hoaconv.job.execute import execute, report_of
from hoaconv.job.html import table
from hoaconv.job.options import OmeZarr, Running, Values
from hoaconv.job.progress import display
from hoaconv.job.report import Report
from hoaconv.job.resolve import resolve
from hoaconv.job.run_plan import RunPlan
from hoaconv.job.target import Branch, VolumeLike
from hoaconv.job.watching import Watcher

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """Volumes, and what is written or measured of each, in one sweep.

    Jobs are made by ``volume | hoaconv.OmeZarr(...)`` and `hoaconv.store`; ``one & other`` is a job
    that does both. Two jobs are equal if they do the same. A job pickles if its sources were opened
    by a path and its ops are declared in a module: another process opens the paths again.

    Attributes
    ----------
    branches
        The outputs, each with its volume. The first image is the main one: its store holds the
        scratch folder, and it is complete last.
    values
        Where values of the whole volume come from, such as Otsu's threshold.
    running
        Budget, workers, scratch and report; `plan` and `run` may be given others.
    given
        Options that the user has given, for the provenance of images.
    """

    branches: tuple[Branch, ...]
    values: Values = field(default_factory=Values)
    running: Running = field(default_factory=Running)
    given: Mapping[str, Any] = field(default_factory=dict, hash=False)
    _cancelled: Event = field(default_factory=Event, compare=False, repr=False)

    def __post_init__(self) -> None:
        names = [branch.name for branch in self.branches]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SpellingError(f"two outputs are called {', '.join(twice)}; name them otherwise")

    @classmethod
    def of(cls, volume: VolumeLike, output: OmeZarr) -> "Job":
        """Return the job that writes one volume.

        Raises
        ------
        SpellingError
            If there is no volume.
        """
        if not hasattr(volume, "plan"):
            raise SpellingError(
                f"a {type(volume).__name__} can't be written; open it first: "
                f"hoaconv.open(...) | OmeZarr({str(output.path)!r})"
            )
        return cls((Branch(str(output.path), volume, output),))

    def plan(
        self,
        *,
        budget: str | int | None = None,
        workers: int | None = None,
        scratch: PathLike | None = None,
        progress: bool | Watcher | None = False,
    ) -> RunPlan:
        """Return how the job would run, without running it; nothing is written.

        It says so where the job can't run here: memory, disk space, an output that exists. A slice
        for each worker is decoded, and a few chunks are packed, to estimate the time.

        Parameters
        ----------
        budget
            Memory that the process may hold, in bytes or as ``"8GiB"``; by default 60 % of what is
            free.
        workers
            Threads; by default all CPUs of this process.
        scratch
            A folder for what doesn't fit in memory; by default inside the main image.
        progress
            As of `run`, for notes; by default they are kept back.

        Raises
        ------
        SourceError
            If a source can't be read.
        PlanError
            If an op can't take what it gets.
        """
        job = self._with(budget=budget, workers=workers, scratch=scratch)
        with display(progress) as watcher:
            return RunPlan.of(resolve(job, watcher, planning=True))

    def run(
        self,
        *,
        budget: str | int | None = None,
        workers: int | None = None,
        scratch: PathLike | None = None,
        report: PathLike | None = None,
        progress: bool | Watcher | None = None,
    ) -> Report:
        """Run the job; return what was made, measured and taken.

        Parameters
        ----------
        budget, workers, scratch
            As of `plan`.
        report
            A file, ending in ``.json``, in which to write the report.
        progress
            True shows notes and a progress bar, False nothing; a `Watcher` gets told. By default
            they are shown in a notebook and on a terminal.

        Returns
        -------
        Report
            ``report["stats"]`` and the like are what was measured, by the outputs' names.

        Raises
        ------
        SourceError
            If a slice can't be read.
        BudgetError
            If the run doesn't fit the budget.
        StoreError
            If an output exists, doesn't fit on its disk, or can't be written.
        KeyboardInterrupt
            If the run was interrupted, or `cancel` was called.
        """
        job = self._with(budget=budget, workers=workers, scratch=scratch, report=report)
        try:
            with display(progress) as watcher:
                resolved = resolve(job, watcher, planning=False)
                return report_of(resolved, execute(resolved, watcher, self._cancelled), watcher)
        finally:
            self._cancelled.clear()

    def cancel(self) -> None:
        """End a run of this job, from another thread, at the next slice; what it wrote is removed.

        The run raises `KeyboardInterrupt`. Where none is running, the next one ends so.
        """
        self._cancelled.set()

    def _with(self, **options: Any) -> "Job":
        """Return the same job with other options of running, where they are given."""
        given = {name: value for name, value in options.items() if value is not None}
        return replace(self, running=replace(self.running, **given)) if given else self

    def __and__(self, other: "Job") -> "Job":
        if not isinstance(other, Job):
            return NotImplemented
        both = (*self.branches, *other.branches)
        if Running() not in (self.running, other.running) and self.running != other.running:
            raise SpellingError("the two jobs have limits that differ; give them to run() instead")
        running = self.running if other.running == Running() else other.running
        values = self.values if other.values == Values() else other.values
        return Job(both, values, running, {**other.given, **self.given})

    def __repr__(self) -> str:
        outputs = ", ".join(f"{b.volume} -> {b.name}" for b in self.branches)
        return f"Job({outputs})"

    def _repr_html_(self) -> str:
        return table({branch.name: branch.volume.summary for branch in self.branches})

    def __copy__(self) -> "Job":
        return self  # it never changes

    def __deepcopy__(self, memo: Any) -> "Job":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "_cancelled"}
        for part in _unsendable(self):
            raise pickle.PicklingError(f"this job can't be sent to another process: {part}")
        return _job, (own,)


def _job(values: Mapping[str, Any]) -> Job:
    return Job(**values)


def _unsendable(job: Job) -> Iterator[str]:
    """Give what of a job doesn't pickle, and what to do."""
    for branch in job.branches:
        for node in branch.volume.plan.nodes():
            if isinstance(node.part, ArraySource):
                yield f"'{node.part}' lies in memory: save it, and open it by its path"
                continue
            try:
                pickle.dumps(node.part)
            except Exception as error:  # whatever an object's own pickling raises
                yield f"'{node.part}' doesn't pickle ({error})"
