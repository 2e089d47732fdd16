"""Random chains of ops on small volumes: budget, workers and separate runs change no bit."""

import shlex
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import hoaconv
from hoaconv.errors import HoaconvError

from .chains import chain
from .stores import DTYPES, levels, write_tiffs
from .trials import Done, Group, Try, Unexpected

__all__ = ["GROUP"]

SETTINGS = {"chunks": 8, "shards": "none", "compressor": "lz4"}


def _volume(rng: np.random.Generator, dtype: str, shape: tuple[int, ...], how: str) -> np.ndarray:
    if np.dtype(dtype).kind == "f":
        planes = rng.normal(50, 100, shape).astype(dtype)
        if how == "odd values":
            odd = rng.random(shape) < 0.05
            planes[odd] = rng.choice([np.nan, np.inf, -np.inf, -0.0], int(odd.sum()))
    else:
        ends = np.iinfo(dtype)
        low, high = (ends.min, ends.max) if how == "odd values" else (0, min(ends.max, 5000))
        planes = rng.integers(low, high, shape, dtype, endpoint=True)
    if how == "one value":
        planes[:] = planes.flat[0]
    if how == "mask":
        planes = (planes > np.median(planes)).astype(dtype)
    return planes


def _shape(rng: np.random.Generator, how: str) -> tuple[int, int, int]:
    z, y, x = (int(n) for n in rng.integers((2, 5, 5), (30, 40, 40)))
    return {"one slice": (1, y, x), "one voxel": (1, 1, 1), "thin": (z, 1, x)}.get(how, (z, y, x))


def _streamed(how: str) -> Try:
    def attempt(rng: np.random.Generator, folder: Path) -> None:
        dtype = str(rng.choice(DTYPES))
        planes = _volume(rng, dtype, _shape(rng, how), how)
        src = write_tiffs(folder / "in", planes)
        ops = chain(rng, src, folder)
        run = _Run(src, folder)
        about = f"{planes.shape} {dtype}"
        ample, refusal = run.try_out("ample", ops, about, workers=3)
        least = run.least(ops, about)
        if least is None:
            few, told = run.try_out("few", ops, about, workers=1)
        else:
            few, told = _least(run, ops, about, least)
        if refusal != told:
            raise run.unexpected(f"with 3 workers: {refusal or 'done'}; with 1: {told or 'done'}")
        if refusal:
            return
        run.compare(ample, few, "a small budget and 1 worker give other voxels")
        if len(ops) > 1:
            run.compare(ample, run.apart(ops, about), "separate runs give other voxels")

    return attempt


def _least(run: "_Run", ops: list[str], about: str, least: int) -> tuple[Any, str]:
    """Run with the smallest budget there is; what the process holds may grow meanwhile."""
    for share in (1.0, 1.05, 1.3):
        few, told = run.try_out("few", ops, about, workers=1, budget=int(least * share))
        if "budget" not in told:
            break
    return few, told


class _Run:
    """Conversions of one source, each into a store of its own."""

    def __init__(self, src: Path, folder: Path) -> None:
        self.src, self.folder = src, folder
        self.last = Done("", 0, "", "")

    def unexpected(self, what: str) -> Unexpected:
        return Unexpected(what, self.last)

    def try_out(
        self, name: str, ops: list[str], about: str, src: Path | None = None, **options: Any
    ) -> tuple[Path, str]:
        """Return the store, and how hoaconv refuses; empty if it doesn't."""
        dst, words = self.folder / f"{name}.zarr", " | ".join(ops)
        self._note(words, about, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                hoaconv.stack_to_omezarr(src or self.src, dst, ops=words, **SETTINGS, **options)
            except HoaconvError as error:
                return dst, str(error).replace(str(dst), "DST")
            except Exception as error:
                raise self.unexpected(f"{type(error).__name__}: {error}") from error
        return dst, ""

    def least(self, ops: list[str], about: str) -> int | None:
        """Return the smallest budget; None where the plan is refused."""
        words = " | ".join(ops)
        self._note(words, about)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                dst = self.folder / "p.zarr"
                return hoaconv.plan(self.src, dst, ops=words, workers=1, **SETTINGS).schedule.least
            except HoaconvError:
                return None
            except Exception as error:
                what = f"plan: {type(error).__name__}: {error}"
                raise self.unexpected(what) from error

    def _note(self, words: str, about: str, **options: Any) -> None:
        self.last = Done(f"--ops {shlex.quote(words)} {options} on {about}", 0, "", "")

    def apart(self, ops: list[str], about: str) -> Path:
        """Apply one op after the other, each to the store that the one before has made."""
        whole, src = self.last, self.src
        for number, op in enumerate(ops):
            src, told = self.try_out(f"part{number}", [op], about, src, workers=2, levels=1)
            if told:
                self.last = whole
                raise self.unexpected(f"alone, {op!r} is refused: {told}")
        self.last = whole
        return src

    def compare(self, some: Path, others: Path, what: str) -> None:
        """Check that two stores have the same voxels: of all levels that both have."""
        for level, (one, other) in enumerate(zip(levels(some), levels(others), strict=False)):
            if one.shape != other.shape or one.dtype != other.dtype:
                raise self.unexpected(
                    f"{what}: {one.shape} {one.dtype} and {other.shape} {other.dtype}"
                )
            same = (one == other) & (np.signbit(one) == np.signbit(other)) | (one != one) & (
                other != other
            )
            if not same.all():
                place = tuple(int(n) for n in np.argwhere(~same)[0])
                count = int((~same).sum())
                raise self.unexpected(
                    f"{what}: level {level}, {count} of {one.size}; at {place} {one[place]!r} and "
                    f"{other[place]!r}"
                )


GROUP = Group(
    "ops",
    {
        how: _streamed(how)
        for how in ("plain", "odd values", "one slice", "one voxel", "thin", "one value", "mask")
    },
)
