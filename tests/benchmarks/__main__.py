"""The command: make the data, rehearse, run the rounds, print the tables."""

import json
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from hoaconv.engine.machine import cpus
from tests.benchmarks.jobs import JOBS, SHAPES, Job
from tests.benchmarks.machine import describe
from tests.benchmarks.rounds import Bench, Run, rehearse, run_rounds
from tests.benchmarks.stacks import make, shape_of
from tests.benchmarks.table import format_ratios, format_runs

NOTES = """\
Median (least .. most) of the rounds; ratios are taken within a round.
wall: the whole process, imports and all; own: as the job tells it; the floor's own leaves out
making the smaller levels, so compare own with own there. peak: process and children together."""


def _parser() -> ArgumentParser:
    names = "\n".join(f"  {job.name}{' (only if named)' if job.asked else ''}" for job in JOBS)
    parser = ArgumentParser(
        "python -m tests.benchmarks",
        description="Time hoaconv, what it is made of, and its peers.",
        epilog=f"jobs:\n{names}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", choices=SHAPES, default="small")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[job.name for job in JOBS])
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--workers", type=int, default=cpus(), metavar="N")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the data here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run here")
    return parser


def _chosen(only: Sequence[str] | None) -> list[Job]:
    return [job for job in JOBS if (job.name in only if only else not job.asked)]


def _failures(runs: Sequence[Run]) -> dict[str, str]:
    """Last words of each job that failed."""
    return {
        run.job: f"exit {run.usage.exit}\n{run.last_words}" for run in runs if run.usage.exit != 0
    }


def _bench(words: Namespace, folder: Path) -> None:
    bench = Bench(folder, words.size, words.workers, words.rounds)
    jobs = _chosen(words.only)
    failed = _failures(list(rehearse(bench, jobs)))
    jobs = [job for job in jobs if job.name not in failed]
    stacks = dict.fromkeys(job.stack for job in jobs)
    data = [make(stack, shape_of(stack, bench.size), folder) for stack in stacks]
    about = describe(bench, data)
    runs: list[Run] = []
    try:
        runs.extend(run_rounds(bench, jobs))
    except KeyboardInterrupt:
        print("interrupted; these are the runs so far", file=sys.stderr)
    _show(about, jobs, runs, failed | _failures(runs))
    if words.json:
        result = {"about": about, "runs": [asdict(run) for run in runs]}
        words.json.write_text(json.dumps(result, indent=2) + "\n")


def _show(
    about: dict[str, str], jobs: Sequence[Job], runs: Sequence[Run], failed: dict[str, str]
) -> None:
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    print(f"\n{format_runs(jobs, runs)}\n\n{format_ratios(jobs, runs)}\n\n{NOTES}")
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
