"""The command: make environments and data, rehearse, run the rounds, print or publish tables."""

import json
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill

from hoaconv.engine.machine import cpus
from tests.benchmarks.environments import prepare
from tests.benchmarks.groups import GROUPS, choose
from tests.benchmarks.jobs import SHAPES, Group, Job
from tests.benchmarks.machine import describe
from tests.benchmarks.page import PAGE, check
from tests.benchmarks.rounds import Bench, Run, rehearse, run_rounds
from tests.benchmarks.stacks import make, shape_of
from tests.benchmarks.table import format_ratios, format_runs
from tests.benchmarks.views import show

NOTES = """\
Median (least .. most) of the rounds; ratios are taken within a round.
wall: the whole process, imports and all; own: as the job tells it; the floor's own leaves out
making the smaller levels, so compare own with own there. peak: process and children together."""


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        "python -m tests.benchmarks",
        description="Time hoaconv, what it is made of, and its peers.",
        epilog=_list_of_jobs(),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", choices=SHAPES, default="small")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=_NAMES, default=_DEFAULT)
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--workers", type=int, default=cpus(), metavar="N")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep data, environments here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run here")
    parser.add_argument(
        "--publish", action="store_true", help="put the groups' figures into docs/performance.md"
    )
    return parser


_DEFAULT = [group.name for group in GROUPS if not group.asked]
_NAMES = [group.name for group in GROUPS] + [job.name for group in GROUPS for job in group.jobs]


def _list_of_jobs() -> str:
    """Names for --only: groups, and under each its jobs."""
    lines = [
        f"  {group.name}: {group.title}{' (only if named)' if group.asked else ''}\n"
        + fill(
            " ".join(job.name for job in group.jobs),
            88,
            initial_indent="    ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
        for group in GROUPS
    ]
    return "\n".join(["groups and their jobs; what they are compared with runs too:", *lines])


def _failures(runs: Sequence[Run]) -> dict[str, str]:
    """Last words of each job that failed."""
    return {
        run.job: f"exit {run.usage.exit}\n{run.last_words}" for run in runs if run.usage.exit != 0
    }


def _bench(words: Namespace, folder: Path) -> None:
    jobs = choose(words.only)
    groups = [group for group in GROUPS if group.name in words.only]
    publish = _publisher(groups, words.size) if words.publish else None
    environments = prepare(dict.fromkeys(j.environment for j in jobs if j.environment), folder)
    bench = Bench(folder, words.size, words.workers, words.rounds, environments)
    failed = {j.name: _unmade(j, bench) for j in jobs if _unmade(j, bench)}
    failed |= _failures(list(rehearse(bench, [job for job in jobs if job.name not in failed])))
    jobs = [job for job in jobs if job.name not in failed]
    stacks = dict.fromkeys(job.stack for job in jobs if job.stack)
    data = [make(stack, shape_of(stack, bench.size), folder) for stack in stacks]
    about = describe(bench, data)
    runs: list[Run] = []
    try:
        runs.extend(run_rounds(bench, jobs))
    except KeyboardInterrupt:
        print("interrupted; these are the runs so far", file=sys.stderr)
    failed |= _failures(runs)
    _show(about, groups, jobs, runs, failed)
    if words.json:
        result = {"about": about, "runs": [asdict(run) for run in runs], "failed": failed}
        words.json.write_text(json.dumps(result, indent=2) + "\n")
    if publish:
        publish(about, runs, failed)


Publish = Callable[[Mapping[str, str], Sequence[Run], Mapping[str, str]], None]


def _publisher(groups: Sequence[Group], size: str) -> Publish:
    """What writes the page, once it is sure that it can."""
    if not groups:
        raise SystemExit("--publish needs whole groups: name one after --only, or none")
    from tests.benchmarks.publish import publish  # it needs matplotlib

    try:
        check(groups, size)
    except ValueError as error:
        raise SystemExit(f"{PAGE}: {error}") from None
    return partial(publish, groups, size)


def _unmade(job: Job, bench: Bench) -> str:
    """Why the job's environment isn't there; empty if it is."""
    return bench.environments[job.environment].failure if job.environment else ""


def _show(
    about: Mapping[str, str],
    groups: Sequence[Group],
    jobs: Sequence[Job],
    runs: Sequence[Run],
    failed: Mapping[str, str],
) -> None:
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    for group in groups:
        print(f"\n## {group.title}\n\n{show(group, runs)}")
    if not groups:
        print(f"\n{format_runs(jobs, runs)}\n\n{format_ratios(jobs, runs)}")
    print(f"\n{NOTES}")
    for name, words in failed.items():
        print(f"\n{name} failed: {words}")


def main() -> None:
    """Run it; the data stay if a folder was named."""
    words = _parser().parse_args()
    with ExitStack() as stack:
        if words.folder:
            words.folder.mkdir(parents=True, exist_ok=True)
        folder = words.folder or Path(stack.enter_context(TemporaryDirectory()))
        _bench(words, folder.absolute())


if __name__ == "__main__":
    main()
