"""The stacks that jobs read: made once, by a program of their own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.jobs import SHAPES

__all__ = ["ROOT", "Data", "make", "shape_of"]

ROOT = Path(__file__).parents[2]
WIDE = (64, 7621, 7621)  # the width of a Human Organ Atlas volume


@dataclass(frozen=True)
class Data:
    """A stack on disk: `path` holds slices of `shape` (zyx)."""

    path: Path
    shape: tuple[int, int, int]

    @property
    def nbytes(self) -> int:
        """Bytes as stored."""
        return sum(file.stat().st_size for file in self.path.iterdir())


def shape_of(stack: str, size: str) -> tuple[int, int, int]:
    """Shape of the stack of this name: wide ones have one size alone, long ones 4 x the slices."""
    z, y, x = WIDE if stack == "wide" else SHAPES[size]
    return (4 * z, y, x) if stack == "long" else (z, y, x)


def make(stack: str, shape: tuple[int, int, int], folder: Path) -> Data:
    """The stack of this name and shape under `folder`; made unless it is there whole."""
    name = f"{stack}-{'x'.join(map(str, shape))}"
    data, made = Data(folder / name, shape), folder / f"{name}.json"
    if not made.exists():
        print(f"making {data.path}", file=sys.stderr)
        command = [sys.executable, "-m", "tests.benchmarks.make_stack", stack, str(data.path)]
        subprocess.run([*command, *map(str, shape)], cwd=ROOT, check=True)
        made.write_text(json.dumps({"stack": stack, "shape": shape, "bytes": data.nbytes}))
    return data
