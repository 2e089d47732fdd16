"""Against scipy.ndimage.convolve in float64."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import InMemory, Keep
from scipy import ndimage
from whole import MODES, SHAPES, noise, result, rounded

import hoaconv
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.convolution import Convolve
from hoaconv.ops.spelling import parse_op

pytestmark = pytest.mark.one_python

KERNELS = st.tuples(*[st.integers(1, 5)] * 3)


def saved(folder, kernel):
    file = folder / "weights.npy"
    np.save(file, kernel)
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.sampled_from(DTYPES), KERNELS, MODES, st.integers(-99, 99), st.integers(0, 99))
def test_is_scipy_s_in_float64(folder, shape, dtype, size, mode, cval, seed):
    volume, rng = noise(shape, dtype, seed), np.random.default_rng(seed)
    kernel = np.where(rng.random(size) < 0.2, 0, rng.normal(size=size)) / np.prod(size)
    got = result(Convolve(saved(folder, kernel), mode, cval).resolved(), volume)
    want = ndimage.convolve(volume.astype(np.float64), kernel, mode=mode, cval=cval)
    if dtype.kind == "f":
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-3)
    else:
        # Single precision may land on the other side of a tie.
        assert np.abs(got - rounded(want, dtype)).max() <= 1


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.sampled_from(DTYPES), KERNELS, st.integers(0, 99))
def test_whole_weights_give_exact_sums(folder, shape, dtype, size, seed):
    volume = noise(shape, "int8", seed).astype(dtype)
    kernel = np.random.default_rng(seed).integers(-9, 9, size)
    got = result(Convolve(saved(folder, kernel)).resolved(), volume)
    want = ndimage.convolve(volume.astype(np.float64), kernel)
    np.testing.assert_array_equal(got, rounded(want, dtype))


def test_halves_are_rounded_to_even_where_scipy_cuts_them_off(folder):
    volume = np.array([[[1, 3, 5, 255]]], np.uint8)
    assert result(Convolve(saved(folder, [[0.5]])).resolved(), volume).tolist() == [
        [[0, 2, 2, 128]]
    ]
    assert result(Convolve(saved(folder, [[2.0]])).resolved(), volume).tolist() == [
        [[2, 6, 10, 255]]
    ]


def test_two_axes_are_y_and_x(folder):
    volume = noise((3, 6, 7), "float32", 0)
    kernel = np.arange(6.0).reshape(2, 3)
    flat = Convolve(saved(folder, kernel)).resolved()
    assert flat.halo == (0, 1, 1)
    got = result(flat, volume)
    want = np.stack([ndimage.convolve(plane.astype(np.float64), kernel) for plane in volume])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-3)


def test_a_weight_of_0_asks_for_no_voxel(folder):
    volume = np.full((1, 3, 5), np.nan, np.float32)
    volume[:, :, 1:] = [1, np.inf, 3, 4]
    got = result(Convolve(saved(folder, [[0, 0, 2.0]])).resolved(), volume)
    np.testing.assert_array_equal(got[0, 0], [np.nan, np.nan, 2, np.inf, 6])
    assert not result(Convolve(saved(folder, np.zeros((3, 3, 3)))).resolved(), volume).any()


def test_the_file_is_read_where_the_op_is_resolved_and_not_again(tmp_path):
    file = tmp_path / "weights.npy"
    op = Convolve(file)
    saved(tmp_path, np.ones((3, 5, 2), bool).astype("u1"))
    assert op.infer(Spec((1, 1, 2), np.dtype("uint8")))
    with pytest.raises(PlanError, match=r"convolve .*npy' hasn't read its file; call resolved"):
        _ = op.halo
    resolved = op.resolved()
    file.unlink()
    for same in (resolved, pickle.loads(pickle.dumps(resolved))):
        assert same.halo == (1, 2, 1)
        assert result(same, np.ones((1, 1, 2), np.uint8)).tolist() == [[[30, 30]]]
        assert same == resolved
    assert op == Convolve(str(file))


def test_equal_weights_are_equal_ops_and_others_are_not(folder):
    file = saved(folder, [[1.0, 2.0]])
    one, same = Convolve(file).resolved(), Convolve(file).resolved()
    other = Convolve(saved(folder, [[1.0, 3.0]])).resolved()
    assert (one == same, hash(one) == hash(same), one == other) == (True, True, False)


def test_planning_opens_no_file(folder, monkeypatch):
    table = folder / "table.npy"
    np.save(table, np.arange(256)[::-1])
    volume = noise((5, 6, 7), "uint8", 0)
    chain = f"lut {table} | convolve {saved(folder, np.ones((3, 1, 1)) / 3)}"
    made = hoaconv.open(volume) | chain

    opening = open

    def refuse(name, *args, **options):
        if Path(str(name)).suffix == ".npy":
            raise AssertionError(f"{name} was opened")
        return opening(name, *args, **options)  # psutil's

    with monkeypatch.context() as patched:
        for place in ("builtins.open", "io.open", "numpy.load"):
            patched.setattr(place, refuse)
        with pytest.raises(AssertionError, match="was opened"):
            parse_op(f"lut {table}").resolved()
        planned = schedule(made.plan, Limits(1 << 40, 2))
        assert planned.projected > 0
    sink = Keep()
    sent = pickle.loads(pickle.dumps([node.part for node in made.plan.nodes()[1:]]))
    plan = Plan.read(InMemory(volume))
    for file in folder.glob("*.npy"):
        file.unlink()
    for op in sent:
        plan |= op
    run(schedule(plan | sink, Limits(1 << 40, 2)))
    want = ndimage.convolve((255 - volume).astype(float), np.ones((3, 1, 1)) / 3)
    assert np.abs(sink.volume - want).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "weights.npy can't be read as an array: No such file"),
        (b"no array", "weights.npy can't be read as an array"),
        (np.zeros(3), r"should hold numbers along z, y, x, or along y, x, not \(3,\) float64"),
        (np.zeros((1, 1, 1, 1)), r"not \(1, 1, 1, 1\) float64"),
        (np.zeros((2, 0)), r"not \(2, 0\) float64"),
        (np.zeros((3, 3), complex), r"not \(3, 3\) complex128"),
        (np.array([[1, np.nan]]), "finite numbers, but some are NaN or infinite"),
    ],
)
def test_what_are_no_weights_is_refused(tmp_path, content, message):
    if isinstance(content, bytes):
        (tmp_path / "weights.npy").write_bytes(content)
    elif content is not None:
        saved(tmp_path, content)
    with pytest.raises(SpellingError, match=f"convolve: .*{message}"):
        Convolve(tmp_path / "weights.npy").resolved()


def test_a_table_is_no_array_of_weights():
    with pytest.raises(SpellingError, match=r"weights should be the name of a \.npy file, without"):
        Convolve("ramp.txt")
