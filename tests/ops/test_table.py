"""Tables from files, and the table that evens out a histogram."""

import pickle
from fractions import Fraction

import numpy as np
import pytest

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.table import Equalize, Lut

pytestmark = pytest.mark.one_python

EXACT = [dtype for dtype in DTYPES if is_exact(dtype)]


def result(op, volume):
    out = np.empty(volume.shape, op.infer(Spec(volume.shape, volume.dtype)).dtype)
    op.apply(volume, (slice(None),) * 3, out)
    return out


def equalized(volume):
    fold = Equalize().needs
    states = [fold.init(Spec(volume.shape, volume.dtype)) for _ in volume]
    for state, plane in zip(states, volume, strict=True):
        fold.step(state, plane)
    whole = states[0]
    for state in states[1:]:
        whole = fold.merge(whole, state)
    return result(Equalize().settle(fold.finish(whole)), volume)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("given", ["same", "uint16", "float32"])
@pytest.mark.parametrize("suffix", [".npy", ".txt"])
def test_a_voxel_becomes_its_entry_and_the_last_one_beyond(tmp_path, dtype, given, suffix):
    entries = np.array([3, 0.5, 1.5, -7, 300, 1e9, 12])
    file = tmp_path / f"table{suffix}"
    if suffix == ".npy":
        np.save(file, entries)
    else:
        file.write_text("\n".join(map(str, entries)))
    volume = np.random.default_rng(0).integers(0, 12, (3, 4, 5)).astype(dtype)
    expected = entries[np.minimum(volume, 6)]
    target = np.dtype(dtype if given == "same" else given)
    if target.kind == "u":
        expected = np.clip(np.rint(expected), 0, np.iinfo(target).max)
    got = result(Lut(file, given).resolved(), volume)
    assert got.dtype == target
    np.testing.assert_array_equal(got, expected.astype(target))


def test_nan_in_a_table_is_0_in_an_integer_and_stays_in_a_float(tmp_path):
    np.save(tmp_path / "t.npy", np.array([np.nan, np.inf]))
    volume = np.array([[[0, 1, 9]]], np.uint8)
    assert result(Lut(tmp_path / "t.npy").resolved(), volume).tolist() == [[[0, 255, 255]]]
    got = result(Lut(tmp_path / "t.npy", "float32").resolved(), volume).ravel()
    np.testing.assert_array_equal(got, [np.nan, np.inf, np.inf])


def test_the_file_is_read_where_the_op_is_resolved_and_not_again(tmp_path):
    file = tmp_path / "t.txt"
    op, spec = Lut(file), Spec((1, 1, 2), np.dtype("uint8"))
    assert op.infer(spec) == spec
    with pytest.raises(PlanError, match=r"lut .*t\.txt' hasn't read its file; call resolved"):
        op.warm(spec)
    file.write_text("5 6")
    resolved = op.resolved()
    file.unlink()
    assert str(resolved) == str(op)
    assert (op, op == resolved) == (Lut(str(file)), False)
    for same in (resolved, pickle.loads(pickle.dumps(resolved))):
        assert result(same, np.array([[[0, 1]]], np.uint8)).tolist() == [[[5, 6]]]
        assert same == resolved


def test_entries_that_no_voxel_can_ask_for_are_not_held(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(70000))
    assert Lut(tmp_path / "t.npy").resolved().content.shape == (1 << 16,)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.npy", None, "none.npy can't be read as a table: No such file"),
        ("bad.npy", b"no array", "bad.npy can't be read as a table"),
        ("bad.txt", b"1 2 three", "can't be read as a table: could not convert .*'three'"),
        ("bad.txt", b"\xff\xfe", "can't be read as a table"),
        ("empty.txt", b"", r"should hold a row of numbers, not \(0,\) float64"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SpellingError, match=message):
        Lut(tmp_path / name).resolved()


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros(3, complex), np.array(["a"])])
def test_an_array_that_is_no_row_of_numbers_is_refused(tmp_path, array):
    np.save(tmp_path / "t.npy", array)
    with pytest.raises(SpellingError, match="should hold a row of numbers"):
        Lut(tmp_path / "t.npy").resolved()


def test_lut_refuses_what_can_be_no_index(tmp_path):
    with pytest.raises(PlanError, match="lut takes uint8 and uint16, not float32"):
        Lut(tmp_path / "t.npy").infer(Spec((1, 1, 1), np.dtype("float32")))


@pytest.mark.parametrize("dtype", EXACT, ids=str)
def test_equalize_spreads_ranks_over_the_dtype(dtype):
    volume = (np.random.default_rng(0).normal(40, 9, (6, 9, 11)) ** 1.2).clip(0, 127).astype(dtype)
    least, greatest = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    ranks = {v: int((volume <= v).sum()) for v in np.unique(volume)}
    first = min(ranks.values())
    got = equalized(volume)
    for value, rank in ranks.items():
        exact = least + Fraction(rank - first, volume.size - first) * (greatest - least)
        (new,) = np.unique(got[volume == value])
        assert abs(int(new) - exact) <= Fraction(1, 2) + Fraction(1, 10**6)
    assert (got.min(), got.max()) == (least, greatest)
    assert got.dtype == dtype


@pytest.mark.parametrize("dtype", EXACT, ids=str)
def test_equalize_leaves_a_volume_of_one_value_alone(dtype):
    volume = np.full((2, 3, 4), 9, dtype)
    np.testing.assert_array_equal(equalized(volume), volume)


def test_equalize_refuses_values_that_are_not_counted_one_by_one():
    with pytest.raises(PlanError, match="integers of up to 16 bits, not float32: rescale first"):
        Equalize().infer(Spec((1, 1, 1), np.dtype("float32")))
    fold = Equalize().needs
    state = fold.init(Spec((1, 1, 3), np.dtype("uint8")))
    fold.step(state, np.array([[1, 2, 9]], np.uint8))
    op = Equalize().settle(fold.finish(state))
    with pytest.raises(PlanError, match="the table of equalize is for uint8, not uint16"):
        op.infer(Spec((1, 1, 1), np.dtype("uint16")))
