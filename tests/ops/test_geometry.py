"""What crops, pads, flips, turns, bins and resizes promise: NumPy's and SciPy's voxels, streamed.

Every resample of the catalogue has a row here: spellings and what NumPy or SciPy makes of a volume.
"""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Add, InMemory, Keep
from scipy import ndimage
from whole import allocated

from hoaconv.engine.contract import Resample
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.catalogue import catalogue
from hoaconv.ops.cropping import Crop
from hoaconv.ops.geometry import Flip, Pad, Rotate90
from hoaconv.ops.sampling import Bin, Resize
from hoaconv.ops.spelling import parse_op

pytestmark = pytest.mark.one_python

SMALL = 4096
"""Bytes of Python objects, which a declaration needn't count."""


def padded(volume, width, mode, cval=0.0):
    """numpy.pad; its words for borders are others than SciPy's."""
    words = {"nearest": "edge", "reflect": "symmetric", "mirror": "reflect"}
    if mode != "constant":
        return np.pad(volume, width, mode=words[mode])
    if volume.dtype.kind != "f":
        limits = np.iinfo(volume.dtype)
        cval = int(np.clip(np.rint(cval), limits.min, limits.max))
    return np.pad(volume, width, constant_values=cval)


def binned(volume, factor, join=None):
    """Cell by cell, each of the voxels that exist; integers rounded half to even."""
    shape = [-(-n // f) for n, f in zip(volume.shape, factor, strict=True)]
    out = np.empty(shape, volume.dtype)
    for place in np.ndindex(*shape):
        cell = volume[tuple(slice(i * f, i * f + f) for i, f in zip(place, factor, strict=True))]
        whole = volume.dtype.kind != "f"
        mean = np.rint(cell.sum(dtype=object) / cell.size) if whole else cell.mean(dtype=float)
        out[place] = join(cell) if join else mean
    return out


def resized(volume, factor, order):
    """SciPy's zoom in float64; an axis that it would leave without voxels keeps one."""
    shape = [max(1, round(n * f)) for n, f in zip(volume.shape, factor, strict=True)]
    exact = [m / n for m, n in zip(shape, volume.shape, strict=True)]
    zoomed = partial(ndimage.zoom, order=order, mode="nearest", grid_mode=True)
    return zoomed(volume.astype(np.float64), exact)


def filled(volume, box, value):
    """A box that goes beyond a volume; negative ends count from the far end."""
    limits = (-np.inf, np.inf) if volume.dtype.kind == "f" else None
    info = None if limits else np.iinfo(volume.dtype)
    value = volume.dtype.type(value if info is None else min(max(value, info.min), info.max))
    pairs = zip(box, volume.shape, strict=True)
    ends = [(a + n if a < 0 else a, n if b is None else b) for (a, b), n in pairs]
    wide = np.pad(volume, 100, constant_values=value)
    return wide[tuple(slice(100 + a, 100 + b) for a, b in ends)]


ROWS = {
    "crop 1:5,-9:,:7": lambda v: v[1:5, -9:, :7],
    "crop 2:,1:2,-3:-1": lambda v: v[2:, 1:2, -3:-1],
    "crop :,:,:": lambda v: v,
    "flip z": lambda v: v[::-1],
    "flip z,x": lambda v: v[::-1, :, ::-1],
    "flip y": lambda v: v[:, ::-1],
    "rotate90": lambda v: np.rot90(v, 1, (1, 2)),
    "rotate90 2": lambda v: np.rot90(v, 2, (1, 2)),
    "rotate90 -1": lambda v: np.rot90(v, -1, (1, 2)),
    "rotate90 0": lambda v: v,
    "crop -60:60,2:50,:99 fill=7": lambda v: filled(v, ((-60, 60), (2, 50), (0, 99)), 7),
    "crop 30:33,:,: fill=1e9": lambda v: filled(v, ((30, 33), (0, None), (0, None)), 1e9),
    "transpose-xy": lambda v: v.transpose(0, 2, 1),
    "transpose zxy": lambda v: v.transpose(0, 2, 1),
    "transpose zyx": lambda v: v,
    "transpose yzx": lambda v: v.transpose(1, 0, 2),
    "transpose yxz": lambda v: v.transpose(1, 2, 0),
    "transpose xzy": lambda v: v.transpose(2, 0, 1),
    "transpose xyz": lambda v: v.transpose(2, 1, 0),
    "pad 1,2,3": lambda v: padded(v, [(1, 1), (2, 2), (3, 3)], "constant"),
    "pad 2:0,0:5,1:0 cval=-1.5": lambda v: padded(v, [(2, 0), (0, 5), (1, 0)], "constant", -1.5),
    "pad 0,1,1 cval=1e30": lambda v: padded(v, [(0, 0), (1, 1), (1, 1)], "constant", 1e30),
    "pad 3:9,2,40 mode=reflect": lambda v: padded(v, [(3, 9), (2, 2), (40, 40)], "reflect"),
    "pad 2:3,8,1 mode=mirror": lambda v: padded(v, [(2, 3), (8, 8), (1, 1)], "mirror"),
    "pad 2,1,0:3 mode=nearest": lambda v: padded(v, [(2, 2), (1, 1), (0, 3)], "nearest"),
    "bin 2": lambda v: binned(v, (2, 2, 2)),
    "bin 3,1,4": lambda v: binned(v, (3, 1, 4)),
    "bin 1,2,2 method=max": lambda v: binned(v, (1, 2, 2), np.max),
    "bin 2,1,1 method=nearest": lambda v: binned(v, (2, 1, 1), lambda cell: cell.flat[0]),
    "resize 0.5": lambda v: resized(v, (0.5, 0.5, 0.5), 1),
    "resize 1.7,0.3,2": lambda v: resized(v, (1.7, 0.3, 2), 1),
    "resize 1,0.7,1": lambda v: resized(v, (1, 0.7, 1), 1),
    "resize 0.4,3,0.9 order=0": lambda v: resized(v, (0.4, 3, 0.9), 0),
}
NEAR = {text for text in ROWS if text.startswith("resize")}


def test_every_resample_has_a_row():
    words = {word for word, op in catalogue().items() if issubclass(op, Resample)}
    assert {text.split()[0] for text in ROWS} == words


def noise(shape, dtype, seed=0):
    """All of an integer dtype's range; whole numbers in a float, whose sums are exact."""
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        return np.rint(rng.normal(0, 1000, shape)).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def fits(op, shape):
    try:
        op.infer(Spec(shape, np.dtype("uint8")))
    except PlanError:
        return False
    return True


def result(op, volume, rows=1000):
    """The op, plane by plane, band by band; an op that reads backwards gets its planes so."""
    spec = Spec(volume.shape, volume.dtype)
    chosen = op.chooses(spec)
    if chosen is not None and chosen.step < 0:
        volume, op = volume[::-1], op.within()
        if op is None:
            return volume
    given = op.infer(spec)
    out = np.empty(given.shape, given.dtype)
    for z, plane in enumerate(out):
        planes = tuple(np.ascontiguousarray(volume[p]) for p in op.reach(spec, z))
        for y in range(0, len(plane), rows):
            band = slice(y, min(y + rows, len(plane)))
            op.apply(spec, z, planes, band, plane[band])
    return out


def check(text, volume, got):
    want = ROWS[text](volume)
    assert got.shape == want.shape
    assert got.dtype == volume.dtype
    if text not in NEAR:
        np.testing.assert_array_equal(got, want)
    elif got.dtype.kind == "f":
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-2)
    else:  # what SciPy gives lies at most half a grey away; float32 may fall beyond a tie
        slack = 0.02 if got.dtype.itemsize <= 2 else 1e-4
        assert np.abs(got.astype(float) - want).max() <= 0.5 + slack


shapes = st.one_of(
    st.just((1, 1, 1)),
    st.tuples(st.integers(1, 9), st.integers(1, 13), st.integers(1, 11)),
)


@pytest.mark.parametrize("text", ROWS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_voxels_of_numpy_and_scipy(text, dtype):
    op = parse_op(text)
    for shape in [(1, 1, 1), (3, 12, 8), (7, 11, 9), (1, 10, 70), (6, 1, 5)]:
        if fits(op, shape):
            check(text, noise(shape, dtype), result(op, noise(shape, dtype)))


@pytest.mark.parametrize("text", ROWS)
@settings(max_examples=15, deadline=None)
@given(shape=shapes, rows=st.integers(1, 14), seed=st.integers(0, 99))
def test_any_band_gives_the_same_bits(text, shape, rows, seed):
    op, dtype = parse_op(text), DTYPES[seed % len(DTYPES)]
    if fits(op, shape):
        volume = noise(shape, dtype, seed)
        assert result(op, volume, rows).tobytes() == result(op, volume).tobytes()


@pytest.mark.parametrize("text", ROWS)
@settings(max_examples=8, deadline=None)
@given(shape=shapes, workers=st.integers(1, 3), seed=st.integers(0, 99), branch=st.booleans())
def test_a_run_gives_the_same_bits_first_or_in_a_branch(text, shape, workers, seed, branch):
    op, sink, other = parse_op(text), Keep(), Keep()
    if not fits(op, shape):
        return
    volume = noise(shape, DTYPES[seed % len(DTYPES)], seed)
    backwards = op.chooses(Spec(shape, volume.dtype)) == range(shape[0])[::-1] and shape[0] > 1
    planes = Plan.read(InMemory(volume))
    plan = planes | op | sink
    if branch and not backwards:
        plan &= planes | Add(0) | other
    least = schedule(plan, Limits(1 << 40, workers, 0)).least
    run(schedule(plan, Limits(least, workers, 0)))
    assert sink.volume.tobytes() == result(op, volume).tobytes()
    check(text, volume, sink.volume)


@pytest.mark.parametrize("text", ROWS)
@settings(max_examples=15, deadline=None)
@given(shape=shapes)
def test_reach_never_goes_back_and_stays_within(text, shape):
    op, spec = parse_op(text), Spec(shape, np.dtype("uint8"))
    if not fits(op, shape):
        return
    reaches = [op.reach(spec, z) for z in range(op.infer(spec).planes)]
    for ends in ([r.start for r in reaches], [r.stop for r in reaches]):
        assert ends == sorted(ends)
    assert all(0 <= r.start <= r.stop <= spec.planes for r in reaches)


@pytest.mark.parametrize("text", ROWS)
@settings(max_examples=15, deadline=None)
@given(shape=shapes)
def test_choosing_planes_and_what_is_left_to_do_is_the_op(text, shape):
    op, volume = parse_op(text), noise(shape, np.dtype("uint16"))
    spec = Spec(shape, volume.dtype)
    if not fits(op, shape) or op.chooses(spec) is None:
        return
    chosen, within = volume[list(op.chooses(spec))], op.within()
    if within is not None:
        left = Spec(chosen.shape, chosen.dtype)
        assert within.chooses(left) == range(left.planes)
        chosen = result(within, chosen)
    np.testing.assert_array_equal(chosen, ROWS[text](volume)) if text not in NEAR else None


@pytest.mark.long
@pytest.mark.parametrize("text", ROWS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 12, 20), (6, 60, 2000)])
def test_apply_allocates_no_more_than_it_declares(text, shape):
    op = parse_op(text)
    for dtype in DTYPES if fits(op, shape) else ():
        spec = Spec(shape, dtype)
        given_spec = op.infer(spec)
        z = given_spec.planes // 2
        planes = tuple(np.zeros(shape[1:], dtype) for _ in op.reach(spec, z))
        out = np.empty(given_spec.plane_shape, dtype)
        call = partial(op.apply, spec, z, planes, slice(0, len(out)), out)
        assert allocated(call) <= op.work(spec) + SMALL


MOVED = ("flip", "rotate90", "bin 1,2,2 method=max", "resize 0.4,3,0.9 order=0")
"""Whose voxels don't hold their own coordinate: turned about the volume's middle, or rounded."""


@pytest.mark.parametrize(
    "text", [text for text in ROWS if not text.startswith(MOVED) and "fill" not in text]
)
def test_voxels_that_hold_their_coordinate_lie_at_it_afterwards(text):
    op, shape = parse_op(text), (24, 20, 28)
    edges, origin = (2.0, 3.0, 5.0), (10.0, -4.0, 0.5)
    placed = op.infer(Spec(shape, np.dtype("float64"), Geometry(edges, None, origin))).geometry
    new_edges, new_origin = placed.edges, placed.origin
    for axis in range(3):
        lengths = [n if i == axis else 1 for i, n in enumerate(shape)]
        ramp = origin[axis] + edges[axis] * np.arange(shape[axis]).reshape(lengths)
        made = result(op, np.ascontiguousarray(np.broadcast_to(ramp, shape)))
        order = {"transpose-xy": "zxy"}.get(text, text.partition("transpose ")[2] or "zyx")
        along = order.index("zyx"[axis])
        inner = [slice(n // 2, n // 2 + 1) for n in made.shape]  # away from what surrounds it
        inner[along] = slice(made.shape[along] // 2 - 2, made.shape[along] // 2 + 2)
        want = new_origin[along] + new_edges[along] * np.arange(made.shape[along])
        np.testing.assert_allclose(made[tuple(inner)].ravel(), want[inner[along]], rtol=1e-9)


def test_turns_swap_edges_and_flips_stay_where_they_are():
    geometry = Geometry((1.0, 2.0, 3.0), "micrometer", (4.0, 5.0, 6.0))
    swapped = Geometry((1.0, 3.0, 2.0), "micrometer", (4.0, 6.0, 5.0))
    spec = Spec((20, 30, 40), np.dtype("uint8"), geometry)
    placed = {text: parse_op(text).infer(spec).geometry for text in ROWS}
    assert placed["rotate90"] == placed["rotate90 -1"] == swapped
    assert placed["rotate90 2"] == placed["flip z,x"] == placed["flip y"] == geometry


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_spread_to_what_they_are_part_of(value):
    volume = np.ones((4, 6, 6))
    volume[1, 2, 2] = value
    spread = {
        "bin 2": (2, 3, 3),
        "resize 1": (4, 6, 6),
        "resize 2": (8, 12, 12),
        "pad 1 mode=mirror": (6, 8, 8),
        "rotate90": (4, 6, 6),
    }
    counts = {"bin 2": 1, "resize 1": 1, "resize 2": 64, "pad 1 mode=mirror": 2, "rotate90": 1}
    for text, shape in spread.items():
        made = result(parse_op(text), volume)
        assert made.shape == shape
        assert np.isfinite(made).sum() == made.size - counts[text], text
        assert np.isnan(made).any() == np.isnan(value)


def test_a_nan_in_an_integer_never_comes_of_a_resample():
    assert result(parse_op("pad 1 cval=inf"), np.ones((1, 1, 1), np.int16)).max() == 32767


def test_a_crop_that_keeps_nothing_is_refused():
    spec = Spec((5, 6, 7), np.dtype("uint8"))
    with pytest.raises(PlanError, match="crop: 9: keeps nothing of 6 along y"):
        parse_op("crop :,9:,:").infer(spec)
    for beyond in ("crop -99:99,:,:", "crop 3:6,:,:", "crop :,:,-8:"):
        with pytest.raises(PlanError, match=r"crop: \S+ goes beyond .* 0:\d; .*write fill=0"):
            parse_op(beyond).infer(spec)


@pytest.mark.parametrize(
    ("op", "value"),
    [
        *((Crop, value) for value in (None, 3, [slice(1, 5, 2)] * 3, [(1, 2)] * 2, [(0.5, 1)] * 3)),
        *((Flip, value) for value in (None, 3, "", [], "zyx", ["q"])),
        *((Rotate90, value) for value in (None, 0.5, float("inf"), "quarter")),
        *((Pad, value) for value in (None, 1.5, float("nan"), [1, 2], [(1, 2, 3), 0, 0], -1)),
        *((Bin, value) for value in (None, 2.5, float("inf"), [2, 2], 0, "2,x,2", [[2]])),
        *((Resize, value) for value in (None, 0, -1, float("inf"), [1, 2], "half")),
    ],
    ids=str,
)
def test_what_is_no_parameter_is_refused(op, value):
    with pytest.raises(SpellingError, match=f"{op.word}: .* should be"):
        op(value)
