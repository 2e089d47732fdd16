"""Operands of one plane: NumPy's broadcasting along z, the plane decoded once a sweep."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import InMemory, Keep
from invoking import PLAN, refused, run
from reading import levels_of
from sized import held_and_counted, with_sizes
from whole import noise, rounded

import hoaconv
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits
from hoaconv.errors import PlanError
from hoaconv.ops.repeated import Repeated
from hoaconv.ops.spelling import parse_op

pytestmark = pytest.mark.one_python

FUNCTIONS = {word: getattr(np, word) for word in ("add", "subtract", "multiply", "divide")}
DTYPES = st.sampled_from(["uint8", "int16", "uint16", "float32", "float64"])


def broadcast(word, volume, plane):
    """The op by NumPy, a plane for all, stored in the volume's dtype."""
    if word == "mask":
        return np.where(plane != 0, volume, 0).astype(volume.dtype)
    with np.errstate(all="ignore"):
        real = FUNCTIONS[word](volume.astype(np.float64), plane.astype(np.float64))
        if volume.dtype.kind == "f":
            return real.astype(volume.dtype)
        return rounded(np.nan_to_num(real, nan=0), volume.dtype).astype(volume.dtype)


@settings(max_examples=50, deadline=None)
@given(
    word=st.sampled_from([*FUNCTIONS, "mask"]),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 9), st.integers(1, 9)),
    dtypes=st.tuples(DTYPES, DTYPES),
    seed=st.integers(0, 99),
    workers=st.integers(1, 3),
    ahead=st.integers(0, 9),
    rows=st.integers(1, 9),
)
def test_a_plane_is_used_for_every_z(word, shape, dtypes, seed, workers, ahead, rows):
    volume, plane = noise(shape, dtypes[0], seed), noise((1, *shape[1:]), dtypes[1], seed + 1)
    source, sink = InMemory(plane), Keep()
    plan = Plan.read(InMemory(volume)) & Plan.read(Repeated(source, shape[0]))
    plan |= parse_op(f"{word} flat.tif").join()
    made = with_sizes(schedule(plan | sink, Limits(1 << 40, workers)), 1, rows, ahead)
    held, counted = held_and_counted(made)
    np.testing.assert_array_equal(sink.volume, broadcast(word, volume, plane))
    assert held <= counted
    assert source.reads == [0]


def test_the_plane_is_a_row_of_the_plan_and_can_be_chosen_from():
    plane = InMemory(np.ones((1, 4, 5), np.float32))
    repeated = Repeated(plane, 7)
    assert repeated.spec.shape == (7, 4, 5)
    assert repeated.layer_bytes(4) == plane.spec.plane_bytes
    assert repeated.stored_bytes == plane.stored_bytes
    assert repeated.choose([6, 2]) == Repeated(plane, 2)
    out = np.zeros((4, 5), np.float32)
    repeated.read(6, out)
    assert out.all()


@pytest.fixture
def flat(tmp_path, volume):
    """A flat field, float32, with voxels of 0 and 1 and around it."""
    file = tmp_path / "flat.tif"
    rng = np.random.default_rng(5)
    tifffile.imwrite(file, rng.uniform(0.5, 2, volume.shape[1:]).astype(np.float32))
    return file


def test_the_command_line_corrects_by_dark_and_flat_fields(tiffs, volume, out, tmp_path, flat):
    dark = tmp_path / "dark.tif"
    tifffile.imwrite(dark, np.arange(volume[0].size, dtype=np.uint16).reshape(volume[0].shape))
    done = run(tiffs, out, "--ops", f"subtract {dark} | divide {flat}", "--chunks", "32")
    assert done.exit_code == 0, done.output
    less = broadcast("subtract", volume, tifffile.imread(dark)[None])
    want = broadcast("divide", less, tifffile.imread(flat)[None])
    np.testing.assert_array_equal(levels_of(out)[0], want)


def test_a_value_of_the_whole_corrected_volume_is_found_first(tiffs, volume, out, flat):
    corrected = hoaconv.open(broadcast("divide", volume, tifffile.imread(flat)[None]))
    done = run(tiffs, out, "--ops", f"divide {flat} | threshold otsu", "--downsample", "mode")
    assert done.exit_code == 0, done.output
    want = (corrected | "threshold otsu").compute()
    np.testing.assert_array_equal(levels_of(out)[0], want)


def test_branches_and_statistics_take_it_too(tiffs, volume, out, tmp_path, flat):
    ops = f"divide {flat}"
    done = run(tiffs, out, "--ops", ops, "--label", f"bright={ops} | threshold 30000")
    assert done.exit_code == 0, done.output
    want = broadcast("divide", volume, tifffile.imread(flat)[None])
    np.testing.assert_array_equal(levels_of(out / "labels" / "bright")[0], want > 30000)
    assert hoaconv.stats(tiffs, ops=ops).stats["sum"] == int(want.sum(dtype=np.int64))


def test_a_volume_takes_it_as_a_method_and_one_plane_meets_one(volume, flat):
    want = broadcast("divide", volume, tifffile.imread(flat)[None])
    np.testing.assert_array_equal(hoaconv.open(volume).divide(str(flat)).compute(), want)
    np.testing.assert_array_equal((hoaconv.open(volume[:1]) | f"divide {flat}").compute(), want[:1])


@pytest.mark.parametrize("shape", [(2, 67, 53), (67, 52), (36, 67, 53)])
def test_what_has_neither_one_plane_nor_as_many_is_refused(tiffs, volume, out, tmp_path, shape):
    file = tmp_path / "flat.tif"
    tifffile.imwrite(file, np.ones(shape, np.uint16), photometric="minisblack")
    text = refused(run(tiffs, out, "--ops", f"divide {file}"), PLAN, "flat.tif is", "meet 37 x 67")
    assert "take a volume of the same shape, or of one plane, which is used for every z" in text
    assert not out.exists()
    with pytest.raises(PlanError, match="or of one plane"):
        _ = hoaconv.open(volume) | f"divide {file}"
