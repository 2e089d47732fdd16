"""Runs to tables, in Markdown."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.jobs import Job
from tests.benchmarks.rounds import Run

__all__ = ["done", "format_ratios", "format_runs", "format_table", "spread"]

MB = 1e6


@dataclass(frozen=True)
class _Column:
    title: str
    value: Callable[[Run], float | None]
    digits: int


def _megabytes(size: int | None) -> float | None:
    return None if size is None else size / MB


WALL = _Column("wall s", lambda run: run.usage.wall, 2)
OWN = _Column("own s", lambda run: run.own, 2)
CPU = _Column("CPU s", lambda run: run.usage.cpu, 2)
PEAK = _Column("peak MB", lambda run: _megabytes(run.usage.peak), 0)
READ = _Column("read MB", lambda run: _megabytes(run.usage.read), 0)
WRITTEN = _Column("written MB", lambda run: _megabytes(run.usage.written), 0)


def format_runs(jobs: Sequence[Job], runs: Sequence[Run]) -> str:
    """A row a job: median and (least .. most) of its rounds."""
    columns = (WALL, OWN, CPU, PEAK, READ, WRITTEN)
    rows = [
        (job.name, *(spread(_values(c, good), c.digits) for c in columns))
        for job in jobs
        if (good := done(job.name, runs))
    ]
    return format_table(("job", *(c.title for c in columns)), rows)


def format_ratios(jobs: Sequence[Job], runs: Sequence[Run]) -> str:
    """A row for each job and each that it is compared with: median ratio within a round."""
    columns = (WALL, OWN, CPU, PEAK)
    rows = [
        (f"{job.name} / {other}", *(spread(_ratios(c, pairs), 2) for c in columns))
        for job in jobs
        for other in job.against
        if (pairs := _pairs(job.name, other, runs))
    ]
    return format_table(("ratio", *(c.title.split()[0] for c in columns)), rows)


def done(name: str, runs: Iterable[Run]) -> list[Run]:
    """The rounds of a job that went well."""
    return [run for run in runs if run.job == name and run.usage.exit == 0]


def _pairs(name: str, other: str, runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Runs of two jobs in the same round."""
    by_round = {run.round: run for run in done(other, runs)}
    return [(run, by_round[run.round]) for run in done(name, runs) if run.round in by_round]


def _values(column: _Column, runs: Iterable[Run]) -> list[float]:
    return [value for run in runs if (value := column.value(run)) is not None]


def _ratios(column: _Column, pairs: Iterable[tuple[Run, Run]]) -> list[float]:
    both = [(column.value(run), column.value(other)) for run, other in pairs]
    return [a / b for a, b in both if a is not None and b]


def spread(values: Sequence[float], digits: int) -> str:
    """Median (least .. most)."""
    if not values:
        return "-"
    middle, least, most = (f"{v:.{digits}f}" for v in (median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({least} .. {most})"


def format_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their titles, in Markdown; empty without rows."""
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in (titles, *rows)) for i in range(len(titles))]
    return "\n".join(_lines(titles, rows, widths))


def _lines(
    titles: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]
) -> Iterator[str]:
    rules = ["-" * width for width in widths]
    for row in (titles, rules, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"| {' | '.join(cells)} |"
