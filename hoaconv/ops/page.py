"""The page on all ops, docs/ops.md: ``python -m hoaconv.ops.page > docs/ops.md``."""

from collections.abc import Iterator
from types import ModuleType

from hoaconv.ops.catalogue import (
    catalogue,
    describe,
    example,
    explanation,
    lookup,
    summary,
    usage,
)
from hoaconv.ops.families import families
from hoaconv.ops.spelling import parse_op

__all__ = ["page"]

HEAD = """\
# Ops

This page lists all ops: the operations on voxels that `--ops`, `--label` and `--also` apply.
`hoaconv ops NAME` prints the same text about one op, and `help(hoaconv.ops.gaussian)` does so in
Python, with an example. The command `python -m hoaconv.ops.page > docs/ops.md` writes the page from
the declarations of the ops.

Write ops as a chain, `gaussian 1.5 | threshold otsu`. Write the values of an op in the order of its
parameters, or by name, `mode=nearest`. Where an op has a value for each axis, write `z,y,x`, or one
value for all axes. Lengths are in voxels. You can also [declare ops of your own](#ops-of-your-own).

"The dtype stays" means that the result has the dtype of the input. "Saturated" means that a result
beyond the range of the dtype becomes the nearest value of the range. "float32 (float64 stays)"
means that the result is float32, or float64 if the input is float64.

Names and boundary modes are those of scipy.ndimage. The modes define the values beyond the end of a
row `a b c d`:

| mode | values |
|---|---|
| reflect | `d c b a`: mirrored at the edge of the last voxel |
| mirror | `c b a`: mirrored at the centre of the last voxel |
| nearest | `d d d d`: the last voxel |
| constant | `cval` |
"""

WIDE = """\
## Integers of 64 bits

Labels are often `uint64` or `int64`, which float64 rounds beyond 2**53. These ops take such volumes
and keep them exact: {}.

`add` and `subtract` take them with whole numbers only, `projection` with `max` and `min` only, and
`resize` takes them with `order=0`. A whole number is taken as it is written, however large:
`between 720575940621039145 720575940621039145`. All other ops refuse such volumes before the run:
write `cast float64` before them. Percentiles, histograms and computed thresholds come from bins, as
for other dtypes of more than 16 bits.
"""

OWN = """\
## Ops of your own

A function below `@op` is an op. It is given a block (z, y, x) and returns an array of the same
shape. `depth` is the number of voxels that it needs on each side of a voxel. The block has these
voxels, and only the part of the result that doesn't need other blocks is kept. At the volume's ends
the block is shorter, and nothing is added. Several threads call the function at the same time, with
blocks of any size, so a voxel of the result must depend only on voxels within `depth`.

All other parameters of the function are parameters of the op. Annotate them with `float`, `int`,
`bool`, `str`, `Literal[...]` or a tuple of three numbers; one number may be given for all three.
`Annotated[float, "help"]` adds a line of help.

```python
import numpy as np

import hoaconv
from hoaconv import op


@op("difference", depth=(1, 0, 0), dtype="float32")
def difference(block, scale: float = 1.0):
    \"\"\"Compute the central difference along z: float32.\"\"\"
    near = np.pad(block.astype("float32"), ((1, 1), (0, 0), (0, 0)), mode="edge")
    return (near[2:] - near[:-2]) * np.float32(scale / 2)


volume = hoaconv.open(np.arange(24, dtype="uint8").reshape(2, 3, 4))
print((volume | "difference scale=2").compute())
print((volume | difference(scale=2) | "gaussian 1").compute())
```

If the function is in a file, the command line can use the op:
`--ops-module my_ops.py --ops "difference scale=2"`; `hoaconv ops --ops-module my_ops.py` lists it.

The memory model counts 16 bytes per voxel of a block for the arrays that the function allocates,
its result included. This is enough for the result and one more array of float64. If the function
allocates more, declare it by `work`, in bytes per voxel.

A class below `@op` has full control. It defines its `halo` (the voxels on each side), the shape and
dtype of its result (`infer`), the bytes that it allocates (`work`), and how it computes a band
(`apply`). It gets integers of 64 bits only if it sets `takes_wide = True`; a function gets them as
they are. [examples/your_own_op.py](../examples/your_own_op.py) shows a function and a class.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join([HEAD, *_contents(), WIDE.format(_taking_wide()), *_families(), OWN])


def _words(family: ModuleType) -> list[str]:
    name = family.__name__
    return [word for word in catalogue() if lookup(word).__module__ == name]


def _taking_wide() -> str:
    """The ops that take integers of 64 bits, written as their examples are."""
    taking = (w for w in catalogue() if getattr(parse_op(example(w)), "takes_wide", False))
    return ", ".join(f"`{word}`" for word in taking)


def _contents() -> Iterator[str]:
    yield from ("| op | what it does | example |", "|---|---|---|")
    for word in sorted(word for family in families() for word in _words(family)):
        yield f"| [{word}](#{word}) | {_cell(summary(word))} | `{example(word)}` |"
    yield ""


def _families() -> Iterator[str]:
    for family in families():
        lines = (family.__doc__ or "").strip().split("\n\n")
        yield f"## {lines[0].rstrip('.')}\n"
        yield from (" ".join(line.split()) + "\n" for line in lines[1:])
        for word in _words(family):
            yield from _op(word)


def _op(word: str) -> Iterator[str]:
    yield f"### {word}\n"
    yield f"    {usage(word)}\n"
    yield summary(word)
    yield from (f"\n{line}" for line in explanation(word).splitlines())
    yield ""
    if describe(word):
        yield from ("| parameter | takes | default | meaning |", "|---|---|---|---|")
        for p in describe(word):
            yield f"| {p.name} | {_cell(p.kind)} | {p.default} | {_cell(p.help)} |"
        yield ""


def _cell(text: str) -> str:
    """Return the text of a table's cell, in which a bar must be escaped."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
