"""Projected and measured memory of the cases of tests/test_memory.py: docs/memory.md's table.

python -m tests.benchmarks.memory_law
"""

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from tests.benchmarks.table import format_table
from tests.test_memory import CASES, FEW, SHAPE, WIDE, convert, make_stack, with_whole_budget


def _rows(folder: Path) -> Iterator[tuple[str, ...]]:
    for case, (source, options) in CASES.items():
        stack = folder / source
        if not stack.exists():
            make_stack(source, stack)
        words = [word.replace("OTHER", f"{folder}/other.zarr") for word in options]
        words = with_whole_budget(stack, folder / "p.zarr", words)
        # Twice: the first may compile kernels, and compiling takes memory.
        peak, report = [convert(stack, folder / f"{turn}.zarr", words) for turn in "ab"][-1]
        projected = report["projected"]
        few = " x ".join(map(str, FEW[source][1])) if source in FEW else ""
        yield (
            case,
            f"{FEW[source][0]}, {few}" if few else source,
            f"`{' '.join(options)}`".replace("|", "\\|") if options else "",
            f"{projected / 1e6:.0f}",
            f"{peak / 1e6:.0f}",
            f"{projected / peak:.2f}",
        )
        for turn in "ab":
            rmtree(folder / f"{turn}.zarr")


def main() -> None:
    """Convert every case, each in a process of its own, and print."""
    with TemporaryDirectory() as folder:
        titles = ("run", "slices", "options", "projected, MB", "measured, MB", "ratio")
        sizes = [" x ".join(map(str, shape)) for shape in (SHAPE, WIDE)]
        print("{} voxels; wide slices {}\n".format(*sizes))
        print(format_table(titles, list(_rows(Path(folder)))))


if __name__ == "__main__":
    main()
