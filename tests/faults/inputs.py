"""Sound and damaged slices: right voxels, or one error in words; sound ones aren't refused."""

from pathlib import Path

import numpy as np

from .programs import here
from .slices import ANY, KINDS, Make
from .stores import judge, looks_whole, tree
from .trials import Done, Group, Try, Unexpected

__all__ = ["GROUP"]

REFUSED = (2, 3, 4)
"""A header that claims a huge image is a matter of the budget."""


def _checked(kind: str, make: Make) -> Try:
    def attempt(rng: np.random.Generator, folder: Path) -> None:
        src, dst = folder / "in", folder / "o.zarr"
        src.mkdir()
        expected, before = make(rng, src), tree(folder)
        done = here(src, dst, "--quiet", "--levels", "1", "--workers", "2")
        if done.code == 0 and isinstance(expected, np.ndarray):
            judge(done, dst, expected, folder, before)
        elif done.code == 0:
            _check_any(done, dst, known=expected is ANY)
        elif kind.startswith("sound"):
            raise Unexpected("sound slices are refused", done)
        else:
            judge(done, dst, np.empty(0), folder, before, *REFUSED)
            if str(src) not in done.stderr:
                raise Unexpected("the message doesn't name the source", done)

    return attempt


def _check_any(done: Done, dst: Path, *, known: bool) -> None:
    """Check what comes of slices whose voxels nobody can know, if they may be read at all."""
    if not known:
        raise Unexpected("damaged slices are converted with exit 0", done)
    if not looks_whole(dst):
        raise Unexpected("exit 0, but the store can't be read", done)


GROUP = Group("inputs", {kind: _checked(kind, make) for kind, make in KINDS.items()})
