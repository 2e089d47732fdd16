"""Odd names of sources and outputs: a right store under that name, or one error in words."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from .programs import here, run
from .stores import judge, options, tree, volume, write_tiffs
from .trials import Group, Try

__all__ = ["GROUP"]

PIECES = (
    *(
        "a b",
        " a",
        "a ",
        "é",
        "e\u0301",
        "日本語",
        "🧠",
        "ﬁ",
        "a\\b",
        "\\",
        "-x",
        "--out",
        "-",
        "--",
    ),
    *("*", "?", "[ab]", "[", "]", "{a,b}", "**", "a\nb", "a\tb", "\x1b[31m", "\x7f", "'", '"'),
    *("$HOME", "~", "~root", "%20", "%s", "#", "a=b", "a:b", "a|b", "|", "=", ".hidden", "..."),
    *("x" * 255, "x" * 256, "y" * 200, "[bold]", "[/bold]", ":smile:", "CON", "nul.zarr", "&"),
    *("file:", "s3:", "o.zarr", "0", "c", "zarr.json", ".hoaconv-unfinished", "a\udcffb", "\r"),
    *("http:", "a,b", "a;b", "(a)", "1:2", "true", "None", "\u2028", "\u00a0", "a\u200bb", "@a"),
    *("\u202eabc", "`", "+", "--"),
)


def _named(*, source: bool, output: bool, process: bool = False) -> Try:
    def attempt(rng: np.random.Generator, folder: Path) -> None:
        planes = volume(rng, (3, 21, 34))
        cwd = folder / "work"
        cwd.mkdir()
        src_name = _name(rng) if source else "in"
        dst_name = "/".join(_name(rng) for _ in range(rng.integers(1, 3))) if output else "o.zarr"
        with suppress(OSError, ValueError):  # a name that the file system refuses is tried too
            write_tiffs(cwd / src_name, planes)
        words = [*options(rng), "--quiet"]
        if rng.random() < 0.7:
            words.append("--")
        src, dst = _spelled(rng, cwd, src_name), _spelled(rng, cwd, dst_name)
        before = tree(folder)
        done = (run if process else here)(*words, src, dst, cwd=cwd)
        judge(done, Path(os.path.join(cwd, dst)), planes, folder, before, 2, 3, 5)

    return attempt


def _name(rng: np.random.Generator) -> str:
    pieces = [PIECES[rng.integers(len(PIECES))] for _ in range(rng.integers(1, 4))]
    return "".join(pieces) + str(rng.choice(["", "", ".zarr", "x"]))


def _spelled(rng: np.random.Generator, cwd: Path, name: str) -> str:
    """Spell a name in `cwd`, in one of the ways in which a path to it can be spelled."""
    ways = (
        *(name, name, f"./{name}", f"../{cwd.name}/{name}", f"{cwd}/{name}", f"{name}/"),
        *(f".//{name}", f"{cwd}//{name}", f"{name}//", f"./././{name}/.", f"nowhere/../{name}"),
        f"{cwd}/../{cwd.name}/{name}",
    )
    return ways[rng.integers(len(ways))]


GROUP = Group(
    "names",
    {
        "source": _named(source=True, output=False),
        "output": _named(source=False, output=True),
        "both": _named(source=True, output=True),
        "both, as a process": _named(source=True, output=True, process=True),
    },
)
