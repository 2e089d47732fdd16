"""Try after try, until the time is over; then the table, and what was not as expected."""

import shutil
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from .trials import Group, Result

__all__ = ["attempt", "drive", "limit_memory", "table"]

LONGEST = 150
"""Seconds after which a try in this process counts as hung."""

MOST_MEMORY = 16 << 30
"""Bytes of addresses that the driver and what it starts may have: a fault harms nobody else."""

STDERR_LINES = 6


def attempt(group: Group, seed: int, number: int) -> Result:
    """Make one try, in a folder of its own that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="faults-")).resolve()
    try:
        with _alarm():
            return group.result(seed, number, folder)
    except _Hung:
        what = f"it hangs: not done after {LONGEST} s"
        return Result(group.name, group.kind(number), seed, number, LONGEST, what)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def limit_memory() -> None:
    """Limit this process and its children to `MOST_MEMORY`, where the system can."""
    with suppress(ImportError, OSError, ValueError):  # Windows has no such module
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        if most == resource.RLIM_INFINITY or most > MOST_MEMORY:
            resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, most))


class _Hung(BaseException):
    """Raised in the midst of a try; nobody who handles errors may swallow it."""


@contextmanager
def _alarm() -> Iterator[None]:
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def late(*_: object) -> None:
        raise _Hung

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def drive(
    groups: Sequence[Group], seed: int, minutes: float, tell: Callable[[Result], None]
) -> list[Result]:
    """Make tries until the time is over or Ctrl-C; the group that has had the least time is next.

    Parameters
    ----------
    tell
        Called with each result.
    """
    end = time.monotonic() + 60 * minutes
    seconds = {group.name: 0.0 for group in groups}
    numbers = {group.name: 0 for group in groups}
    results: list[Result] = []
    try:
        while time.monotonic() < end:
            group = min(groups, key=lambda group: seconds[group.name])
            result = attempt(group, seed, numbers[group.name])
            numbers[group.name] += 1
            seconds[group.name] += max(result.seconds, 0.01)
            results.append(result)
            tell(result)
    except KeyboardInterrupt:
        print("interrupted; this was seen so far")
    return results


def table(results: Sequence[Result]) -> str:
    """Return the table, in Markdown, and beneath it a paragraph for each fault."""
    rows = [("group", "kind", "tries", "as expected", "not as expected"), ("---",) * 5]
    by_kind: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        by_kind[result.group, result.kind].append(result)
    for (group, kind), some in sorted(by_kind.items()):
        bad = sum(bool(result.fault) for result in some)
        skipped = [result.skipped for result in some if result.skipped]
        note = f" (SKIPPED {len(skipped)}: {skipped[0]})" if skipped else ""
        good = len(some) - bad - len(skipped)
        rows.append((group, kind + note, str(len(some)), str(good), str(bad)))
    faults = [_told(result) for result in results if result.fault]
    total = f"{len(results)} tries, {len(faults)} not as expected"
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", total, *faults])


def _told(result: Result) -> str:
    """Return what was run, how to repeat it, what was seen, and the first lines of stderr."""
    again = f"--seed {result.seed} --only '{result.group}' --number {result.number}"
    lines = [f"\n{again} ({result.kind}): {result.fault}"]
    if result.done:
        lines += [f"  {result.done.command!r}", f"  exit code {result.done.code}"]
        lines += [f"  | {line}" for line in result.done.stderr.splitlines()[:STDERR_LINES]]
    return "\n".join("".join(map(_printable, line)) for line in lines)


def _printable(char: str) -> str:
    """Return a character as it is, or as Python spells it: names may hold escape sequences."""
    return char if char.isprintable() or char == "\n" else repr(char)[1:-1]
