"""The command: try for some minutes, print the table; exit code 1 if something was unexpected."""

import sys
from argparse import ArgumentParser

from .driver import attempt, drive, limit_memory, table
from .groups import GROUPS
from .trials import Result


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        "python -m tests.faults",
        description="Try what goes wrong in the field: damaged and changing slices, signals, full "
        "disks, odd names, little memory. Each outcome must be the right store, or words.",
    )
    parser.add_argument("--minutes", type=float, default=5, metavar="N", help="default 5")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="default 0")
    parser.add_argument("--only", nargs="+", metavar="GROUP", choices=GROUPS, default=[*GROUPS])
    parser.add_argument(
        "--number", type=int, metavar="K", help="repeat try K of the one group that --only names"
    )
    parser.epilog = f"groups: {', '.join(GROUPS)}"
    return parser


def _tell(result: Result) -> None:
    if result.fault:
        print(f"{result.group} {result.number}: {result.fault[:200]}", file=sys.stderr, flush=True)


def main() -> int:
    """Run it; return the exit code."""
    parser = _parser()
    words = parser.parse_args()
    limit_memory()
    groups = [GROUPS[name] for name in words.only]
    if words.number is None:
        results = drive(groups, words.seed, words.minutes, _tell)
    elif len(groups) == 1:
        results = [attempt(groups[0], words.seed, words.number)]
    else:
        parser.error("--number needs --only with one group")
    print(table(results))
    return int(any(result.fault for result in results))


if __name__ == "__main__":
    sys.exit(main())
