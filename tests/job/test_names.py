"""Words that a user of Python tries: what is understood, and what is answered."""

import copy
import pickle

import numpy as np
import pytest
import tifffile

import hoaconv as hc
from hoaconv import ops
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.declare import EXAMPLES, OPS

ARRAY = np.random.default_rng(0).integers(0, 60000, (6, 20, 30)).astype(np.uint16)


def test_numpys_reductions_are_the_methods() -> None:
    volume = hc.open(ARRAY)
    for function in (np.max, np.min, np.mean, np.std, np.sum):
        scalar = function(volume)
        assert scalar.same_as(getattr(volume, function.__name__.removeprefix("a"))())


WRONG = [
    (lambda v: v.max(0), SpellingError, r"write max\('z'\)"),
    (lambda v: v.max(1), SpellingError, r"write max\('z'\)"),
    (lambda v: np.max(v, axis=0), SpellingError, r"write max\('z'\)"),
    (lambda v: v.mean(2), SpellingError, r"write mean\('z'\)"),
    (lambda v: v.max("z", "y"), SpellingError, r"write max\(\('z', 'y'\)\)"),
    (lambda v: v > ops.otsu(v) | hc.OmeZarr("x.zarr"), SpellingError, "brackets"),
    (lambda v: v > 3 | ops.Gaussian(1), SpellingError, "brackets"),
    (lambda v: ARRAY | ops.Gaussian(1), SpellingError, "hoaconv.open"),
    (lambda v: v | ops.Gaussian, SpellingError, "gaussian needs sigma"),
    (lambda v: v[np.array([1, 2])], IndexError, "no arrays"),
    (lambda v: v[ARRAY > 5], IndexError, "no arrays"),
    (lambda v: v.gausian(1), AttributeError, "did you mean 'gaussian'"),
    (lambda v: ops.Gausian, AttributeError, "did you mean 'Gaussian'"),
    (lambda v: v.map_overlap(lambda block: None).compute(), PlanError, "returned None"),
    (lambda v: v.map_overlap(np.abs, dtype="foo"), SpellingError, "dtype should be"),
    (lambda v: v.map_overlap(np.abs, {3: 1}), SpellingError, "axes 0, 1 and 2"),
    (lambda v: v.divide([1, 2]), SpellingError, "an array"),
    (lambda v: hc.store({"a": v.max() + ops.otsu(v)}), SpellingError, "several measurements"),
]


@pytest.mark.parametrize(("wrong", "error", "words"), WRONG)
def test_what_is_refused_says_what_to_write(wrong, error, words) -> None:
    with pytest.raises(error, match=words):
        wrong(hc.open(ARRAY))


def test_overlaps_by_axes_and_blocks_without() -> None:
    volume = hc.open(ARRAY)
    made = volume.map_overlap(np.square, {0: 1}, "float32")
    assert np.array_equal(made.compute(), np.square(ARRAY).astype(np.float32))
    assert np.array_equal(volume.map_blocks(np.bitwise_not).compute(), ~ARRAY)


def test_a_scalar_is_stored_under_a_name() -> None:
    volume = hc.open(ARRAY)
    numbers = {"otsu": ops.otsu(volume) * 2, "range": volume.max() - volume.min()}
    made = hc.store(numbers).run()
    assert made["otsu"] == float(ops.otsu(volume) * 2)
    assert made["range"] == int(ARRAY.max()) - int(ARRAY.min())


def test_a_job_shows_itself_and_reads_nothing(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", ARRAY)
    job = hc.open(tmp_path / "a.tif") | ops.Gaussian(1) | hc.OmeZarr("smooth.zarr")
    (tmp_path / "a.tif").unlink()
    assert "smooth.zarr" in job._repr_html_()
    assert "gaussian 1" in job._repr_html_()


def test_copies_and_levels_are_the_same_volume(tmp_path) -> None:
    volume = hc.open(ARRAY)
    assert copy.deepcopy(volume) is copy.copy(volume) is volume
    tifffile.imwrite(tmp_path / "a.tif", ARRAY)
    hc.stack_to_omezarr(tmp_path / "a.tif", tmp_path / "a.zarr", levels=2, chunks=8, voxel_size=2)
    level = hc.open(tmp_path / "a.zarr").levels[1]
    assert level.same_as(hc.open(tmp_path / "a.zarr" / "1"))
    assert pickle.loads(pickle.dumps(level)).same_as(level)


def test_a_declared_function_stays_a_function() -> None:
    before, examples = dict(OPS), dict(EXAMPLES)
    try:

        @hc.op("gained-here")
        def gained_here(block, gain: float = 2.0):
            return (block * gain).astype(np.float64)

        assert np.array_equal(gained_here(ARRAY, 3.0), ARRAY * 3.0)
        assert np.array_equal(gained_here(ARRAY), ARRAY * 2.0)
        volume = hc.open(ARRAY.astype(np.float64))
        for made in (volume | gained_here, volume.gained_here(), ops.gained_here(volume)):
            assert made.same_as(gained_here(volume))
            assert np.array_equal(made.compute(), ARRAY * 2.0)
    finally:
        for kept, was in ((OPS, before), (EXAMPLES, examples)):
            kept.clear()
            kept.update(was)


class Told(hc.Watcher):
    """A watcher that keeps notes."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_mask_of_an_operator_is_told_to_be_averaged() -> None:
    volume = hc.open(ARRAY)
    masks = (volume > 30000, volume > ops.otsu(volume), (volume > 9) & (volume < 99))
    for made, is_mask in (*((mask, True) for mask in masks), (volume.add(1), False)):
        told = Told()
        (made | hc.OmeZarr("m.zarr")).plan(progress=told)
        assert any("averages" in note for note in told.notes) == is_mask
