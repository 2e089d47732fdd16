"""Volumes as values, against NumPy and scipy on whole arrays."""

import operator
from functools import reduce

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import hoaconv as hc
from hoaconv.errors import BudgetError, PlanError, SourceError, SpellingError

RNG = np.random.default_rng(0)
ARRAY = RNG.integers(0, 60000, (20, 30, 40)).astype(np.uint16)


def test_a_volume_shows_itself_and_decodes_nothing() -> None:
    volume = hc.open(ARRAY, voxel_size=(2, 1, 1)) | "gaussian 1.5" | "threshold 20000"
    assert repr(volume) == (
        "Volume(20 x 30 x 40 uint8, 2 x 1 x 1 micrometer: gaussian 1.5 | threshold 20000)"
    )
    assert (volume.shape, volume.ndim, volume.dtype) == ((20, 30, 40), 3, np.uint8)
    assert (volume.voxel_size, volume.unit, volume.origin) == ((2, 1, 1), "micrometer", (0, 0, 0))
    assert "<table>" in volume._repr_html_()


def test_files_are_opened_with_what_they_tell(tmp_path) -> None:
    folder = tmp_path / "19.57um_slices"
    folder.mkdir()
    for z, plane in enumerate(ARRAY):
        tifffile.imwrite(folder / f"{z:03d}.tif", plane)
    volume = hc.open(folder)
    assert volume.voxel_size == (19.57,) * 3
    assert np.array_equal(volume.compute(), ARRAY)
    assert np.array_equal(hc.open(folder, range="5:15:2").compute(), ARRAY[5:15:2])
    assert hc.open(volume) is volume


OPS = ["gaussian 1", "median 3", "threshold 20000", "crop 2:15,:,3:", "bin 2", "flip z", "open 1"]


@pytest.mark.parametrize("text", OPS)
def test_ops_as_text_as_objects_and_as_methods_are_the_same(text) -> None:
    volume = hc.open(ARRAY)
    word, *values = text.split()
    made = getattr(volume, word)(*values)
    assert made.same_as(volume | text)
    assert np.array_equal(made.compute(budget="1TiB"), (volume | text).compute(workers=1))


def test_a_computed_volume_is_what_scipy_makes() -> None:
    made = (hc.open(ARRAY).median(3) | "dilate 1").compute()
    want = ndimage.grey_dilation(ndimage.median_filter(ARRAY, 3), (3, 3, 3))
    assert np.array_equal(made, want)
    assert np.array_equal(np.asarray(hc.open(ARRAY).median(3)), ndimage.median_filter(ARRAY, 3))


indices = st.one_of(
    st.integers(-6, 5),
    st.slices(6),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(indices, max_size=3), st.booleans(), st.sampled_from(["", "max 3", "flip z"]))
def test_slicing_is_numpys(parts, dots, chain) -> None:
    array = np.arange(6 * 6 * 6, dtype=np.uint16).reshape(6, 6, 6) * 37 % 211
    whole = (hc.open(array) | chain).compute() if chain else array
    key = (*parts, ...) if dots else tuple(parts)
    made = (hc.open(array) | chain)[key]
    np.testing.assert_array_equal(made, whole[key])
    assert made.dtype == array.dtype


def test_slicing_decodes_no_more_planes_than_it_needs() -> None:
    class Told:
        shape, dtype = ARRAY.shape, ARRAY.dtype

        def __init__(self) -> None:
            self.read = []

        def __getitem__(self, key):
            self.read += range(*key.indices(20))
            return ARRAY[key]

    told = Told()
    assert np.array_equal(hc.open(told)[7, 3], ARRAY[7, 3])
    assert told.read == [7]
    told.read.clear()
    smooth = hc.open(told).gaussian(1)
    assert np.array_equal(
        smooth[10:12, 5, ::3], hc.open(ARRAY).gaussian(1).compute()[10:12, 5, ::3]
    )
    assert sorted(told.read) == list(range(6, 16))


@pytest.mark.parametrize("key", [(0, 0, 0, 0), 20, (0, 30), "a", [1, 2], (..., ...), None])
def test_an_index_that_is_none_is_refused(key) -> None:
    with pytest.raises(IndexError):
        hc.open(ARRAY)[key]


COMPARED = [operator.gt, operator.ge, operator.lt, operator.le, operator.eq, operator.ne]


@pytest.mark.parametrize("function", COMPARED)
def test_comparisons_are_0_and_1(function) -> None:
    volume = hc.open(ARRAY)
    made = function(volume, 20000).compute()
    assert made.dtype == np.uint8
    assert np.array_equal(made, function(ARRAY, 20000))
    assert np.array_equal(
        function(volume, volume.median(3)).compute(),
        function(ARRAY, ndimage.median_filter(ARRAY, 3)),
    )


@pytest.mark.parametrize("function", [operator.add, operator.sub, operator.mul, operator.truediv])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_arithmetic_keeps_the_dtype_rounded_and_saturated(function, dtype) -> None:
    one, other = (RNG.integers(1, 120, (3, 5, 7)).astype(dtype) for _ in range(2))
    for left, right in ((one, 3.7), (3.7, one), (one, other)):
        operands = [hc.open(o) if isinstance(o, np.ndarray) else o for o in (left, right)]
        made = function(*operands).compute()
        real = function(*(np.asarray(o, np.float64) for o in (left, right)))
        if dtype != "float32":
            info = np.iinfo(dtype)
            real = np.rint(real).clip(info.min, info.max)
        assert made.dtype == dtype
        assert np.array_equal(made, real.astype(dtype))


def test_masks_are_combined_bit_by_bit() -> None:
    volume = hc.open(ARRAY)
    one, other = volume > 20000, volume < 40000
    a, b = ARRAY > 20000, ARRAY < 40000
    for function in (operator.and_, operator.or_, operator.xor):
        assert np.array_equal(function(one, other).compute(), function(a, b))


def test_branches_of_one_source_read_it_once() -> None:
    class Counted:
        shape, dtype = ARRAY.shape, ARRAY.dtype

        def __init__(self) -> None:
            self.reads = 0

        def __getitem__(self, key):
            self.reads += 1
            return ARRAY[key]

    counted = Counted()
    volume = hc.open(counted)
    made = ((volume | "gaussian 1") - (volume | "gaussian 2")).compute()
    narrow, wide = (hc.open(ARRAY).gaussian(s).compute().astype(np.int64) for s in (1, 2))
    assert np.array_equal(made, (narrow - wide).clip(0))
    assert counted.reads == len(ARRAY)


def test_a_function_of_ones_own_sees_its_overlap() -> None:
    def mean_of_three(block):
        return ndimage.uniform_filter(block.astype(np.float64), (3, 1, 1), mode="nearest")

    made = hc.open(ARRAY).map_overlap(mean_of_three, depth=(1, 0, 0), dtype="float64").compute()
    np.testing.assert_allclose(made, mean_of_three(ARRAY), rtol=1e-14)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda block: block[1:], "keep the shape"),
        (lambda block: block * 1.5, "gives float64, and the result is to be uint16"),
    ],
)
def test_a_function_that_makes_something_else_is_refused(function, words) -> None:
    with pytest.raises(PlanError, match=words):
        hc.open(ARRAY).map_overlap(function, depth=1).compute()


def test_where_voxels_lie_goes_along() -> None:
    volume = hc.open(ARRAY, voxel_size=(2, 1, 1), unit="nanometer")
    made = volume | "crop 4:12,10:,:" | "bin 2"
    assert made.voxel_size == (4, 2, 2)
    assert made.origin == (4 * 2 + 1, 10 + 0.5, 0.5)
    assert made.unit == "nanometer"


@pytest.mark.parametrize("depth", [1, 3, 7, 20])
@pytest.mark.parametrize("workers", [1, 4])
def test_arrays_in_chunks_are_read_a_layer_at_a_time(depth, workers) -> None:
    class Chunked:
        shape, dtype, chunks = ARRAY.shape, ARRAY.dtype, (depth, 30, 40)

        def __init__(self) -> None:
            self.read = []

        def __getitem__(self, key):
            self.read.append((key.start, key.stop))
            return ARRAY[key]

    chunked = Chunked()
    made = (hc.open(chunked) | "max 3").compute(workers=workers)
    assert np.array_equal(made, ndimage.maximum_filter(ARRAY, 3))
    assert sorted(chunked.read) == [(z, min(z + depth, 20)) for z in range(0, 20, depth)]


@pytest.mark.parametrize("planes", [slice(5, 14), slice(3, 4), slice(2, 19, 4)])
def test_slicing_an_array_in_chunks_reads_each_layer_once(planes) -> None:
    class Chunked:
        shape, dtype, chunks = ARRAY.shape, ARRAY.dtype, (8, 30, 40)

        def __init__(self) -> None:
            self.read = []

        def __getitem__(self, key):
            self.read += range(key.start, key.stop)
            return ARRAY[key]

    chunked = Chunked()
    assert np.array_equal(hc.open(chunked)[planes, 3:9], ARRAY[planes, 3:9])
    taken = range(20)[planes]
    layers = [[z for z in taken if z // 8 == layer] for layer in range(3)]
    spans = [range(layer[0], layer[-1] + 1) for layer in layers if layer]
    assert sorted(chunked.read) == [z for span in spans for z in span]


def test_a_slice_is_counted_as_what_it_is() -> None:
    """Of a volume that fits no memory some voxels are had: the budget is held by them alone."""
    large = np.broadcast_to(np.uint8(3), (1 << 20, 1000, 1000))
    assert hc.open(large)[500_000, 10:12, ::500].tolist() == [[3, 3], [3, 3]]


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (ARRAY, {"range": "2:4"}),
        (ARRAY, {"reduce": 2}),
        (hc.open(ARRAY), {"allow_gaps": True}),
        (hc.open(ARRAY), {"voxel_size": 3}),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(source, options) -> None:
    with pytest.raises(SpellingError, match=r"files|already"):
        hc.open(source, **options)


def test_a_mask_from_a_file_is_a_step_too(tmp_path) -> None:
    folder = tmp_path / "mask"
    folder.mkdir()
    for z, plane in enumerate(ARRAY > 9000):
        tifffile.imwrite(folder / f"{z:03d}.tif", plane.astype(np.uint8))
    made = hc.open(ARRAY) | f"mask {folder} | add 1"
    assert np.array_equal(made.compute(), np.where(ARRAY > 9000, ARRAY, 0) + 1)


def test_arrays_of_other_libraries() -> None:
    import zarr

    stored = zarr.create_array({}, shape=ARRAY.shape, dtype=ARRAY.dtype, chunks=(8, 16, 16))
    stored[:] = ARRAY
    assert np.array_equal(hc.open(stored).compute(), ARRAY)
    mask = ARRAY > 9000
    assert np.array_equal(hc.open(mask).compute(), mask.astype(np.uint8))
    swapped = ARRAY.astype(">u2")
    assert np.array_equal(hc.open(swapped).compute(), ARRAY)


def test_what_does_not_fit_is_refused() -> None:
    large = np.broadcast_to(np.uint8(3), (4000, 1000, 1000))
    with pytest.raises(BudgetError, match="the array that is returned"):
        hc.open(large).compute(budget="1GiB")


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (np.zeros((4, 5)), SourceError, "2 axes"),
        (np.zeros((2, 2, 2), complex), SourceError, "complex128"),
        ([[[1]]], SpellingError, "a int can't be opened"),
        (None, SpellingError, "a NoneType can't be opened"),
        ("nothing-here/", SourceError, "nothing-here"),
    ],
)
def test_what_is_no_volume_is_refused_in_words(source, error, words) -> None:
    with pytest.raises(error, match=words):
        hc.open(source)


@pytest.mark.parametrize("step", [3, len, None, "blur 3"])
def test_what_is_no_op_is_refused_where_it_is_written(step) -> None:
    with pytest.raises(SpellingError):
        hc.open(ARRAY) | step


def test_an_op_that_there_is_not_is_no_attribute() -> None:
    volume = hc.open(ARRAY)
    with pytest.raises(AttributeError, match="blurr"):
        volume.blurr(3)
    assert {"gaussian", "gradient_magnitude", "compute"} <= set(dir(volume))
    with pytest.raises(TypeError):
        volume + "text"
    assert reduce(operator.add, [volume, 1, np.int64(2)]).shape == volume.shape


def test_statistics_of_a_volume_are_those_of_the_verb(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", ARRAY)
    made, verb = hc.open(ARRAY).stats(workers=1), hc.stats(tmp_path / "a.tif")
    assert made.stats == verb.stats
    assert (made.mean, made.p50, made.otsu) == (
        verb.stats["mean"],
        verb.percentiles["p50"],
        verb.thresholds["otsu"],
    )
    assert made.min == ARRAY.min()
    with pytest.raises(AttributeError, match="no number 'middle'"):
        _ = made.middle
