"""A job as a value: volumes, their outputs in one sweep, and the limits of a run.

    job = hoaconv.open("slices/") | "gaussian 1.5" | hoaconv.OmeZarr("smooth.zarr")
    print(job.plan(budget="8GiB"))
    report = job.run(budget="8GiB")

Building a job reads headers. `Job.plan` and `Job.run` check the files that the job reads and
writes (`hoaconv.job.resolve`); only `Job.run` writes.
"""

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from threading import Event
from typing import Any

from hoaconv.engine.contract import Sink
from hoaconv.errors import SpellingError
from hoaconv.job.arrays import ArraySource
from hoaconv.job.declared import PathLike
from hoaconv.job.execute import execute, report_of
from hoaconv.job.html import table
from hoaconv.job.options import Running, Values
from hoaconv.job.output import Output
from hoaconv.job.progress import display
from hoaconv.job.report import Report
from hoaconv.job.resolve import resolve
from hoaconv.job.run_plan import RunPlan
from hoaconv.job.target import Branch, VolumeLike, name_of
from hoaconv.job.watching import Watcher

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """Volumes and their outputs, which one sweep writes and measures.

    ``volume | hoaconv.OmeZarr(...)`` and `hoaconv.store` make jobs; ``one & other`` is a job that
    does both. Two jobs are equal if they do the same. A job can be pickled if its sources were
    opened by a path and its ops are declared in a module: another process then opens the paths
    again.

    Attributes
    ----------
    branches
        The outputs, each with its volume. The first image, or other output on disk, is the main
        one: it holds the scratch folder, and it is completed last.
    values
        Sources of values of the whole volume, such as Otsu's threshold.
    running
        Budget, workers, scratch and report; the arguments of `plan` and `run` replace them.
    given
        Options that the user has given; they are kept in the metadata of images.

    Examples
    --------
    >>> brain = hc.open("slices/")
    >>> image = brain | ops.Gaussian(1) | hc.OmeZarr("smooth.zarr", chunks=8)
    >>> job = image & (brain | hc.OmeZarr("raw.zarr", chunks=8))
    >>> job.plan().can_run
    True
    >>> [path.name for path in job.plan().outputs]
    ['raw.zarr', 'smooth.zarr']
    """

    branches: tuple[Branch, ...]
    values: Values = field(default_factory=Values)
    running: Running = field(default_factory=Running)
    given: Mapping[str, Any] = field(default_factory=dict, hash=False)
    _runs: list[Event] = field(default_factory=list, compare=False, repr=False)
    """For each run that is under way, the event that cancels it."""

    def __post_init__(self) -> None:
        names = [branch.name for branch in self.branches]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SpellingError(f"two outputs are called {', '.join(twice)}; name them otherwise")

    @classmethod
    def of(cls, volume: VolumeLike, output: Output | Sink) -> "Job":
        """Return the job that writes one volume.

        Parameters
        ----------
        volume
            The volume to write.
        output
            The image, or another output.

        Raises
        ------
        SpellingError
            If `volume` isn't a volume.
        """
        if not hasattr(volume, "plan"):
            raise SpellingError(
                f"a {type(volume).__name__} can't be written; open it first: "
                f"hoaconv.open(...) | {type(output).__name__}({name_of(output)!r})"
            )
        return cls((Branch(name_of(output), volume, output),))

    def plan(
        self,
        budget: str | int | None = None,
        *,
        workers: int | None = None,
        scratch: PathLike | None = None,
        progress: bool | Watcher | None = False,
    ) -> RunPlan:
        """Return the plan of the job; nothing is written.

        If this machine can't run the job (memory, disk space, an output that exists),
        `RunPlan.refusals` say why. To estimate the time, a slice for each worker, at least three,
        is decoded, and a few chunks are compressed.

        Parameters
        ----------
        budget
            Memory that the process may hold, in bytes or as text such as ``"8GiB"``. By default
            60 % of the free memory.
        workers
            Number of threads; by default one for each CPU of this process.
        scratch
            A folder for what doesn't fit in memory; by default inside the main image.
        progress
            True shows notes, and a `Watcher` receives them. By default they aren't shown.

        Returns
        -------
        RunPlan
            Sweeps, memory in bytes, and time in seconds.

        Raises
        ------
        SourceError
            If a source can't be read.
        PlanError
            If an op can't be applied to its input.

        Examples
        --------
        >>> plan = (hc.open("slices/") | hc.OmeZarr("brain.zarr")).plan(budget="4GiB", workers=2)
        >>> plan.can_run, plan.projected <= 4 * 1024**3
        (True, True)
        """
        job = self._with(budget=budget, workers=workers, scratch=scratch)
        with display(progress) as watcher:
            return RunPlan.of(resolve(job, watcher, planning=True))

    def run(
        self,
        budget: str | int | None = None,
        *,
        workers: int | None = None,
        scratch: PathLike | None = None,
        report: PathLike | None = None,
        progress: bool | Watcher | None = None,
    ) -> Report:
        """Run the job, and return its report.

        Parameters
        ----------
        budget
            Memory that the process may hold, in bytes or as text such as ``"8GiB"``. By default
            60 % of the free memory.
        workers
            Number of threads; by default one for each CPU of this process.
        scratch
            A folder for what doesn't fit in memory; by default inside the main image.
        report
            A file, ending in ``.json``, in which to write the report.
        progress
            True shows notes and a progress bar, False shows nothing, and a `Watcher` receives
            both. By default they are shown in a notebook and on a terminal.

        Returns
        -------
        Report
            Time, memory and outputs: ``report["name"]`` is the result of the output of that name.

        Raises
        ------
        SourceError
            If a slice can't be read.
        BudgetError
            If the run doesn't fit the budget.
        StoreError
            If an output exists, doesn't fit on its disk, or can't be written.
        Cancelled
            If `cancel` was called meanwhile.
        KeyboardInterrupt
            If the run was interrupted.

        Examples
        --------
        >>> job = hc.open("slices/") | "gaussian 1" | hc.OmeZarr("smooth.zarr", chunks=8)
        >>> report = job.run(budget="2GiB", report="smooth.json")
        >>> report["smooth.zarr"].name, report.measured <= report.budget
        ('smooth.zarr', True)
        """
        job = self._with(budget=budget, workers=workers, scratch=scratch, report=report)
        cancelled = Event()
        self._runs.append(cancelled)
        try:
            with display(progress) as watcher:
                resolved = resolve(job, watcher, planning=False)
                return report_of(resolved, execute(resolved, watcher, cancelled), watcher)
        finally:
            self._runs.remove(cancelled)

    def cancel(self) -> None:
        """End the runs of this job at their next slice, and remove what they wrote.

        Another thread calls this while `run` is at work; `run` then raises `hoaconv.Cancelled`. If
        no run is at work, nothing happens, nor does it once the last slice has been read.

        Examples
        --------
        >>> job = hc.store({"mip": hc.open("slices/").max("z")})
        >>> job.cancel()  # no run is at work
        >>> job.run()["mip"].shape
        (16, 16)
        """
        for cancelled in list(self._runs):
            cancelled.set()

    def _with(self, **options: Any) -> "Job":
        """Return the same job with the options of running that are given."""
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
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "_runs"}
        for part in _unsendable(self):
            raise pickle.PicklingError(f"this job can't be sent to another process: {part}")
        return _job, (own,)


def _job(values: Mapping[str, Any]) -> Job:
    return Job(**values)


def _unsendable(job: Job) -> Iterator[str]:
    """Yield the parts of a job that can't be pickled, each with what to do."""
    for branch in job.branches:
        for part in (*(node.part for node in branch.volume.plan.nodes()), branch.target):
            if isinstance(part, ArraySource):
                yield f"'{part}' lies in memory: save it, and open it by its path"
                continue
            try:
                pickle.dumps(part)
            except Exception as error:  # whatever an object's own pickling raises
                yield f"'{name_of(part)}' doesn't pickle ({error})"
