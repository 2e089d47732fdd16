"""Each op on one thread against scipy.ndimage's filter, in the same process, on the same slab.

Ours works band by band, as the engine has it, gathering included; scipy gets the whole slab, numpy
too where scipy has none. A row is an entry of `ROWS`; one whose word isn't in the catalogue is left
out, and says so.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from scipy import ndimage

from hoaconv.engine.bands import bands
from hoaconv.engine.contract import Fold, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SpellingError
from hoaconv.io.phantom import Phantom
from hoaconv.ops.spelling import parse_op
from tests.benchmarks.program import Clock, main

PLANES = 8
BAND_ROWS = 256

Scipy = Callable[[Slab], Any]


def _ball(radius: int) -> Slab:
    return np.sum(np.square(np.indices((2 * radius + 1,) * 3) - radius), axis=0) <= radius**2


ROWS: dict[str, Scipy] = {
    "gaussian 1.5": lambda slab: ndimage.gaussian_filter(slab, 1.5),
    "uniform 3": lambda slab: ndimage.uniform_filter(slab, 3),
    "uniform 15": lambda slab: ndimage.uniform_filter(slab, 15),
    "median 3": lambda slab: ndimage.median_filter(slab, 3),
    "median 5": lambda slab: ndimage.median_filter(slab, 5),
    "percentile 20 3": lambda slab: ndimage.percentile_filter(slab, 20, 3),
    "min 3": lambda slab: ndimage.minimum_filter(slab, 3),
    "max 5": lambda slab: ndimage.maximum_filter(slab, 5),
    "erode 1": lambda slab: ndimage.grey_erosion(slab, 3),
    "dilate 1": lambda slab: ndimage.grey_dilation(slab, 3),
    "erode 10": lambda slab: ndimage.grey_erosion(slab, 21),
    "erode 3 footprint=ball": lambda slab: ndimage.grey_erosion(slab, footprint=_ball(3)),
    "open 1": lambda slab: ndimage.grey_opening(slab, 3),
    "close 1": lambda slab: ndimage.grey_closing(slab, 3),
    "laplace": ndimage.laplace,
    "gradient-magnitude 1.5": lambda slab: ndimage.gaussian_gradient_magnitude(
        slab, 1.5, output=np.float32
    ),
    "sobel": ndimage.sobel,
    "histogram": lambda slab: np.bincount(slab.ravel(), minlength=1 << 16),
}


def _slab(rows: int) -> Slab:
    source = Phantom((PLANES, rows, rows))
    slab = np.empty(source.spec.shape, source.spec.dtype)
    for z, plane in enumerate(slab):
        source.read(z, plane)
    return slab


def _filter(op: Op, slab: Slab) -> None:
    spec = op.infer(Spec(slab.shape, slab.dtype))
    out = np.empty(spec.shape, spec.dtype)
    halo = op.halo[1]
    for rows in bands(slab.shape[1], BAND_ROWS):
        above = max(0, rows.start - halo)
        block = np.ascontiguousarray(slab[:, above : rows.stop + halo])
        core = slice(rows.start - above, rows.stop - above)
        op.apply(block, (slice(0, len(slab)), core, slice(None)), out[:, rows])


def _fold(fold: Fold, slab: Slab) -> None:
    state = fold.init(Spec(slab.shape, slab.dtype))
    for z, plane in enumerate(slab):
        for rows in bands(slab.shape[1], BAND_ROWS):
            fold.step(state, plane[rows], z, rows.start)


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _measured(slab: Slab, missing: dict[str, str]) -> Iterator[tuple[str, float]]:
    yield "voxels", float(slab.size)
    for text, scipy in ROWS.items():
        try:
            op = parse_op(text)
        except SpellingError as error:
            missing[text] = str(error).splitlines()[0]
            continue
        assert isinstance(op, Op | Fold), text
        ours = partial(_fold if isinstance(op, Fold) else _filter, op)
        op.warm(Spec(slab.shape, slab.dtype))
        yield f"ours: {text}", _seconds(partial(ours, slab))
        yield f"scipy: {text}", _seconds(partial(scipy, slab))


def _compare(src: Path, dst: Path, workers: int, clock: Clock, rows: int) -> dict[str, Any]:
    missing: dict[str, str] = {}
    slab = _slab(rows)
    with clock("all"):
        measured = dict(_measured(slab, missing))
    return {**measured, "missing": missing}


if __name__ == "__main__":
    main(_compare, rows=2048)
