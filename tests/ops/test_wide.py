"""Integers of 64 bits: an op keeps them exact, as an oracle of integers says, or refuses them.

An op that takes them needs a row in EXACT. scipy.ndimage computes in float64, so filters that only
compare voxels are compared with scipy's result for the ranks of the voxels.
"""

from fractions import Fraction

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import hoaconv
from hoaconv import ops
from hoaconv.engine.contract import Fold, Zip
from hoaconv.engine.spec import WIDE, Spec
from hoaconv.engine.stages import inferred
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.catalogue import catalogue, example
from hoaconv.ops.spelling import parse_op

pytestmark = pytest.mark.one_python

ODD = 2**53 + 1
"""The least whole number that float64 rounds."""

SHAPE = (5, 7, 6)


def labels(dtype, seed, shape=SHAPE):
    """Few values, all beyond what float64 holds, some of them neighbours, and both ends."""
    rng, info = np.random.default_rng(seed), np.iinfo(dtype)
    few = [info.min, info.max, info.max - 1, ODD, ODD - 1, ODD + 1, 0, 1]
    few += [int(n) for n in rng.integers(info.min, info.max, 4, dtype)]
    return np.array(few, dtype)[rng.integers(0, len(few), shape)]


def saturated(numbers, dtype):
    """Python ints as voxels."""
    info, whole = np.iinfo(dtype), np.array(numbers, object)
    fitting = [min(max(int(n), info.min), info.max) for n in whole.ravel()]
    return np.array(fitting, dtype).reshape(whole.shape)


def pointwise(function):
    """A function of each voxel as a Python int; the dtype stays."""
    return lambda v: saturated([function(int(n)) for n in v.ravel()], v.dtype).reshape(v.shape)


def marked(function):
    """1 where a function of each voxel as a Python int is true."""
    return lambda v: np.array([function(int(n)) for n in v.ravel()], np.uint8).reshape(v.shape)


def by_rank(filtered, beyond=0):
    """What a filter that only compares does: to the ranks of the voxels and of those beyond."""

    def made(v):
        values, ranks = np.unique(np.append(v, saturated(beyond, v.dtype)), return_inverse=True)
        return values[filtered(ranks[:-1].reshape(v.shape).astype(np.int32), int(ranks[-1]))]

    return made


def less(one, other):
    """The difference of two filters, saturated."""
    return lambda v: saturated(one(v).astype(object) - other(v).astype(object), v.dtype)


def kept(v):
    return v


def box(filtered, size, mode="reflect"):
    return by_rank(lambda r, _: filtered(r, size=size, mode=mode))


def cells(combine, *factor):
    """Cells of a volume, combined one by one."""

    def made(v):
        shape = [-(-n // f) for n, f in zip(v.shape, factor, strict=True)]
        out = np.empty(shape, v.dtype)
        for at in np.ndindex(*shape):
            cell = tuple(slice(i * f, (i + 1) * f) for i, f in zip(at, factor, strict=True))
            out[at] = combine([int(n) for n in v[cell].ravel()])
        return out

    return made


def mean(cell):
    return round(Fraction(sum(cell), len(cell)))


def multiple(step):
    """Round to the nearest multiple, half to even."""
    return lambda n: round(Fraction(n, step)) * step


def mode(cell):
    return min(cell, key=lambda n: (-cell.count(n), n))


def cast_to(dtype):
    if np.dtype(dtype).kind == "f":
        return lambda v: np.array([float(int(n)) for n in v.ravel()]).reshape(v.shape)
    return lambda v: saturated(v.astype(object), dtype)


def without_small(v):
    found, count = ndimage.label(v != 0)
    sizes = np.bincount(found.ravel(), minlength=count + 1)
    return ((v != 0) & (sizes[found] > 5)).astype(np.uint8)


def without_holes(v):
    found, count = ndimage.label(v == 0)
    sizes = np.bincount(found.ravel(), minlength=count + 1)
    outer = np.ones(v.shape, bool)
    outer[1:-1, 1:-1, 1:-1] = False
    open_ = np.isin(found, found[outer])
    return ((v != 0) | ((sizes[found] <= 5) & ~open_)).astype(np.uint8)


erosion, dilation = box(ndimage.grey_erosion, 3), box(ndimage.grey_dilation, 3)
opening, closing = box(ndimage.grey_opening, 3), box(ndimage.grey_closing, 3)
cross = ndimage.generate_binary_structure(3, 1)

EXACT = {
    "quantize 2": pointwise(multiple(4)),
    "quantize 40": pointwise(multiple(2**40)),
    "abs": pointwise(abs),
    f"add {ODD}": pointwise(lambda n: n + ODD),
    "add -3": pointwise(lambda n: n - 3),
    "add 1e20": pointwise(lambda n: n + 10**20),
    f"between {ODD} {ODD}": marked(lambda n: n == ODD),
    f"between 0.5 {ODD - 0.5}": marked(lambda n: 1 <= n < ODD),
    "bin 2": cells(mean, 2, 2, 2),
    "bin 1,3,2": cells(mean, 1, 3, 2),
    "bin 2 mode": cells(mode, 2, 2, 2),
    "bin 3 max": cells(max, 3, 3, 3),
    "bin 3 min": cells(min, 3, 3, 3),
    "bin 2 nearest": lambda v: v[::2, ::2, ::2],
    "blackhat 1": less(closing, kept),
    "cast float64": cast_to("float64"),
    "cast int16": cast_to("int16"),
    "cast int64": cast_to("int64"),
    "cast uint32": cast_to("uint32"),
    "cast uint64": cast_to("uint64"),
    f"clip 1 {ODD}": pointwise(lambda n: min(max(n, 1), ODD)),
    "close 1": closing,
    "crop 1:4,:,2:": lambda v: v[1:4, :, 2:],
    "dilate 1": dilation,
    f"dilate 1 cross constant {ODD}": by_rank(
        lambda r, c: ndimage.maximum_filter(r, footprint=cross, mode="constant", cval=c), ODD
    ),
    "erode 1": erosion,
    "fill-holes 5": without_holes,
    "flip z,x": lambda v: v[::-1, :, ::-1],
    "gradient 1": less(dilation, erosion),
    "invert": lambda v: saturated([~n for n in v.ravel()], v.dtype).reshape(v.shape),
    "mask mask.zarr": lambda v: np.where(MASK, v, 0).astype(v.dtype),
    f"mask mask.zarr {ODD}": lambda v: np.where(MASK, v, v.dtype.type(ODD)),
    "max 3": box(ndimage.maximum_filter, 3),
    "median 3": box(ndimage.median_filter, 3),
    "median 3,7,9": box(ndimage.median_filter, (3, 7, 9)),
    f"median 3 constant {ODD}": by_rank(
        lambda r, c: ndimage.median_filter(r, size=3, mode="constant", cval=c), ODD
    ),
    "min 3": box(ndimage.minimum_filter, 3),
    "min 3 constant inf": by_rank(
        lambda r, c: ndimage.minimum_filter(r, size=3, mode="constant", cval=c), 2**70
    ),
    "open 1": opening,
    "pad 1,2,3": lambda v: np.pad(v, ((1, 1), (2, 2), (3, 3))),
    f"pad 1 constant {ODD}": lambda v: np.pad(v, 1, constant_values=ODD),
    "pad 1 cval=inf": lambda v: np.pad(v, 1, constant_values=np.iinfo(v.dtype).max),
    "percentile 20 3": by_rank(lambda r, _: ndimage.percentile_filter(r, 20, size=3)),
    "remove-small 5": without_small,
    "resize 1,2,3 order=0": lambda v: v.repeat(2, 1).repeat(3, 2),
    "rotate90": lambda v: np.rot90(v, axes=(1, 2)),
    f"subtract {ODD}": pointwise(lambda n: n - ODD),
    f"threshold {ODD - 1}": marked(lambda n: n >= ODD),
    f"threshold {ODD}": marked(lambda n: n > ODD),
    "tophat 1": less(kept, opening),
    "transpose xzy": lambda v: v.transpose(2, 0, 1),
    "transpose-xy": lambda v: v.swapaxes(1, 2),
    "where mask.zarr other.zarr": lambda v: np.where(MASK, v, labels(v.dtype, 99)),
}
"""Oracles of ops by their spellings."""

FOLDS = {"histogram", "percentiles", "profile", "projection", "stats", "volume"}
"""Folds that take them; their oracles are below."""

MASK = np.random.default_rng(7).integers(0, 2, SHAPE).astype(bool)


def spec(dtype):
    return Spec((999, 999, 999), dtype)


def takes(text, dtype):
    """Whether an op, or what stands for it in a plan, takes the dtype; a refusal says why."""
    op = parse_op(text)
    part = op.join() if isinstance(op, Zip) else op
    inputs = (spec(dtype), *(spec(dtype) for _ in getattr(op, "others", ())))
    sentence = f"'{part}' can't keep {dtype} voxels exact; write 'cast float64' before it"
    try:
        inferred(part, inputs)
    except PlanError as refusal:
        if str(refusal) != sentence:
            raise
        return False
    return True


@pytest.mark.parametrize("word", catalogue())
@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_an_op_has_an_oracle_or_refuses_them(word, dtype):
    rows = {text for text in EXACT if text.split()[0] == word}
    assert takes(example(word), dtype) == (bool(rows - {"resize 1,2,3 order=0"}) or word in FOLDS)
    assert all(takes(text, dtype) for text in rows)


@pytest.mark.parametrize(
    "text", ["add 0.5", "add other.zarr", "multiply 2", "divide 2", "projection sum", "resize 2"]
)
@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_what_only_some_values_of_a_parameter_keep_exact_is_refused_else(text, dtype):
    assert not takes(text, dtype)
    assert inferred(
        parse_op(text).join() if "zarr" in text else parse_op(text),
        (spec("u4"), spec("u4"))[: 1 + ("zarr" in text)],
    )


@pytest.fixture(
    scope="module",
    params=[WIDE[0], pytest.param(WIDE[1], marks=pytest.mark.long)],
    ids=str,
)
def wide(request, tmp_path_factory):
    """The dtype; the working folder has the operands."""
    folder = tmp_path_factory.mktemp("operands")
    zarr.save_array(folder / "mask.zarr", MASK.astype(request.param) * ODD)
    zarr.save_array(folder / "other.zarr", labels(request.param, 99))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield request.param


@pytest.mark.parametrize("text", EXACT)
def test_an_op_keeps_them_exact(text, wide):
    for seed in range(3):
        volume = labels(wide, seed)
        made, expected = (hoaconv.open(volume) | text).compute(), EXACT[text](volume)
        assert made.dtype == inferred_dtype(text, wide)
        np.testing.assert_array_equal(made, expected)


def inferred_dtype(text, dtype):
    word, value = [*text.split(), ""][:2]
    if word == "cast":
        return np.dtype(value)
    marks = ("between", "fill-holes", "remove-small", "threshold")
    return np.dtype(np.uint8) if word in marks else dtype


reals = st.floats(width=64) | st.sampled_from(
    [2.0**k * s for k in (52, 53, 63, 64) for s in (1, -1)]
)


@given(st.lists(reals, min_size=1, max_size=30), st.sampled_from(["float32", "float64"]))
@settings(max_examples=50)
def test_a_cast_of_floats_rounds_half_to_even_and_saturates(values, dtype):
    with np.errstate(over="ignore"):
        volume = np.array(values, dtype).reshape(1, 1, -1)
    for wide in WIDE:
        info = np.iinfo(wide)
        expected = [
            0 if np.isnan(n) else round(min(max(float(n), info.min), info.max))
            for n in volume.ravel()
        ]
        made = (hoaconv.open(volume) | f"cast {wide}").compute()
        np.testing.assert_array_equal(made.ravel(), np.array(expected, wide))


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_a_cast_to_float32_is_rounded_once(dtype):
    # As float64 first, it would lie in the middle of two float32, and go to the even one.
    volume = np.array([[[2**24 + 1, (2**24 + 1) * 2**30 + 1, ODD]]], dtype)
    made = (hoaconv.open(volume) | "cast float32").compute()
    assert made.tolist() == [[[2.0**24, (2.0**24 + 2) * 2**30, 2.0**53]]]


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_statistics_are_exact(dtype):
    volume = labels(dtype, 3)
    numbers, info = [int(n) for n in volume.ravel()], np.iinfo(dtype)
    told = ops.stats(volume).compute()
    average = Fraction(sum(numbers), len(numbers))
    variance = sum((n - average) ** 2 for n in numbers) / len(numbers)
    assert (told.n, told.min, told.max) == (len(numbers), min(numbers), max(numbers))
    assert (told.sum, told.mean) == (sum(numbers), float(average))
    assert told.std == pytest.approx(float(variance) ** 0.5, rel=1e-15)
    assert told.zeros == numbers.count(0)
    least = numbers.count(info.min) if info.min else 0
    assert told.saturated == numbers.count(info.max) + least
    assert ops.volume(volume).compute().voxels == np.count_nonzero(volume)
    planes = [Fraction(sum(map(int, plane.ravel())), plane.size) for plane in volume]
    assert ops.profile(volume).compute().mean.tolist() == list(map(float, planes))


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_numbers_of_a_volume_are_python_ints(dtype):
    volume = labels(dtype, 4)
    opened, numbers = hoaconv.open(volume), [int(n) for n in volume.ravel()]
    assert opened.max().compute() == max(numbers)
    assert opened.min().compute() == min(numbers)
    assert opened.sum().compute() == sum(numbers)
    assert (opened >= opened.max()).compute().sum() == numbers.count(max(numbers))
    assert (opened > opened.max()).compute().sum() == 0
    assert (opened <= ODD).compute().tolist() == (volume <= dtype.type(ODD)).tolist()
    assert (opened < ODD).compute().tolist() == (volume < dtype.type(ODD)).tolist()


@pytest.mark.parametrize("axes", ["z", "y", "x", "zy", "zx", "yx"])
@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_reductions_along_axes_are_exact_and_rounded_once(axes, dtype):
    volume = labels(dtype, 5)
    opened, along = hoaconv.open(volume), tuple("zyx".index(axis) for axis in axes)
    whole = volume.astype(object)
    number = int(np.prod([SHAPE[axis] for axis in along]))
    sums = whole.sum(along)
    spread = number * (whole**2).sum(along) - sums**2
    np.testing.assert_array_equal(opened.max(tuple(axes)).compute(), volume.max(along))
    np.testing.assert_array_equal(opened.min(tuple(axes)).compute(), volume.min(along))
    np.testing.assert_array_equal(opened.sum(tuple(axes)).compute(), sums.astype(float))
    np.testing.assert_array_equal(opened.mean(tuple(axes)).compute(), sums.astype(float) / number)
    np.testing.assert_allclose(
        opened.std(tuple(axes)).compute(), np.sqrt(spread.astype(float)) / number, rtol=1e-15
    )
    for method in ("max", "min"):
        picture = ops.projection(volume, method)
        np.testing.assert_array_equal(picture, getattr(volume, method)(0))


@pytest.mark.parametrize("dtype", WIDE, ids=str)
@given(seed=st.integers(0, 99), q=st.floats(0, 100))
@settings(max_examples=20)
def test_a_percentile_is_near_a_voxel_and_in_order(dtype, seed, q):
    volume = labels(dtype, seed)
    told = ops.percentiles(volume, f"0,{q},100").compute()
    found = [told[name] for name in told]
    exact = int(np.percentile(volume, q, method="inverted_cdf"))
    assert (found[0], found[-1]) == (int(volume.min()), int(volume.max()))
    assert found == sorted(found)
    assert all(abs(value - exact) <= abs(exact) / 128 for value in found[1:-1])
    histogram = ops.histogram(volume).compute()
    assert (histogram.min, histogram.max) == (found[0], found[-1])


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_a_threshold_that_is_found_divides_the_voxels(dtype):
    volume = np.array([[[ODD, ODD + 1, 2**62, 2**62 + 1, np.iinfo(dtype).max]]], dtype)
    for method in ("otsu", "li", "moments", "p50"):
        mask = (hoaconv.open(volume) | f"threshold {method}").compute().ravel()
        assert 0 < mask.sum() < mask.size
        assert (np.diff(mask.astype(int)) >= 0).all()
    flat = np.full((1, 2, 3), np.iinfo(dtype).max, dtype)
    assert (hoaconv.open(flat) | "threshold otsu").compute().sum() == 0


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_two_volumes_are_compared_and_joined_bit_by_bit(dtype):
    one, other = labels(dtype, 1), labels(dtype, 2)
    left, right = hoaconv.open(one), hoaconv.open(other)
    np.testing.assert_array_equal((left > right).compute(), one > other)
    np.testing.assert_array_equal((left <= right).compute(), one <= other)
    np.testing.assert_array_equal((left ^ right).compute(), one ^ other)
    mixed = hoaconv.open(other.astype("int32"))
    expected = one.astype(object) > mixed.compute().astype(object)
    np.testing.assert_array_equal((left > mixed).compute(), expected)
    with pytest.raises(PlanError, match="can't be compared exactly; cast one of them"):
        _ = left > (right | "cast float64")
    with pytest.raises(PlanError, match="'add' can't keep"):
        (left + right).compute()


def test_numbers_of_any_size_are_taken_with_floats_too():
    volume = hoaconv.open(np.array([[[0.5, -2.0]]]))
    assert (volume + (2**63 + 1)).compute().tolist() == [[[2.0**63, 2.0**63]]]
    assert (volume | f"add {10**25} | max 1,1,2").compute().tolist() == [[[1e25, 1e25]]]
    assert (volume < 2**63 + 1).compute().tolist() == [[[1, 1]]]


def test_signed_and_unsigned_are_compared_exactly():
    one = np.array([[[-1, 2**62, ODD, 5]]], np.int64)
    other = np.array([[[2**64 - 1, 2**63, ODD - 1, 5]]], np.uint64)
    made = (hoaconv.open(one) > hoaconv.open(other)).compute()
    assert made.tolist() == [[[0, 0, 1, 0]]]


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_a_function_of_the_user_gets_them_as_they_are(dtype):
    volume = labels(dtype, 6)
    made = hoaconv.open(volume).map_overlap(lambda block: block // 2, 0).compute()
    np.testing.assert_array_equal(made, volume // 2)


def test_every_fold_that_takes_them_is_tested_here():
    assert {word for word, op in catalogue().items() if issubclass(op, Fold)} == FOLDS


BIG = np.array([[[2**60 + 1, 2**60 + 3, 5, 7]]], np.uint64)


def test_numbers_of_a_volume_are_exact_as_parameters_and_operands() -> None:
    volume = hoaconv.open(BIG)
    least, greatest = volume.min(), volume.max()
    assert not volume.threshold(greatest).compute().any()
    np.testing.assert_array_equal(volume.clip(least, greatest).compute(), BIG)
    assert volume.between(greatest, greatest).compute().sum() == 1
    assert (volume >= greatest - 1).compute().sum() == 1
    assert (volume == greatest).compute().sum() == 1
    with pytest.raises(SpellingError, match="not be above"):
        volume.between(2**60 + 5, 2**60 + 1)
    with pytest.raises(PlanError, match="no value of uint64"):
        volume & 2**64


@pytest.mark.parametrize(
    "made",
    [
        lambda v: v.bin(2, "mode"),
        lambda v: v.erode(1),
        lambda v: v.median(3),
        lambda v: v.pad(2),
        lambda v: v.resize(2, 0),
        lambda v: v.erode(1) == v,
        lambda v: v.where(v > 5, v.dilate(1)),
        lambda v: v.map_overlap(np.copy, 1, dtype="uint64"),
        lambda v: v.mask(hoaconv.open(BIG).max((1, 3, 3))),
    ],
)
def test_a_slice_is_that_of_the_whole(made) -> None:
    volume = hoaconv.open(np.concatenate([BIG + np.uint64(z) for z in range(6)]))
    made = made(volume)
    np.testing.assert_array_equal(made[1], made.compute()[1])
