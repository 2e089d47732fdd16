"""Transposition from chunks and from slices, and conversion by the name of the output."""

from itertools import permutations

import numpy as np
import pytest
import tifffile
import zarr
from sweeping import decoded_while
from typer.testing import CliRunner

import hoaconv as hc
from hoaconv.errors import PlanError, SourceError, SpellingError, StoreError
from hoaconv.io.array_volume import ArrayVolume
from hoaconv.job import transposing
from hoaconv.job.chain import sources_of
from hoaconv.terminal.app import app

pytestmark = pytest.mark.one_python

ORDERS = ["".join(order) for order in permutations("zyx")]


@pytest.fixture(scope="module")
def store(tiffs, tmp_path_factory):
    """An image of one level with cubed chunks."""
    path = tmp_path_factory.mktemp("turned") / "a.zarr"
    hc.stack_to_omezarr(tiffs, path, chunks=16, levels=1, voxel_size="5,3,2", shards="none")
    return path


def turned(volume, order):
    return volume.transpose(["zyx".index(axis) for axis in order])


def back(order):
    """The order that takes a transposition back."""
    return "".join("zyx"[order.index(axis)] for axis in "zyx")


@pytest.mark.parametrize("order", ORDERS)
def test_a_store_is_turned_in_one_sweep_and_back(store, volume, out, order):
    count = decoded_while(lambda: hc.transpose(store, out, order=order, chunks=16, levels=1))
    assert count == 3 * 5 * 4
    made = hc.open(out)
    np.testing.assert_array_equal(made.compute(), turned(volume, order))
    assert made.voxel_size == tuple({"z": 5, "y": 3, "x": 2}[axis] for axis in order)
    again = made | f"transpose {back(order)}"
    np.testing.assert_array_equal(again.compute(), volume)
    assert again.geometry.edges == (5, 3, 2)
    np.testing.assert_array_equal(again[3:30:9, 5, ::7], volume[3:30:9, 5, ::7])


@pytest.mark.parametrize("order", ["yxz", "xzy", "zxy"])
@pytest.mark.parametrize("kind", ["tiffs", "jp2s"])
def test_slices_are_turned_through_scratch_that_is_removed(request, volume, out, order, kind):
    folder = request.getfixturevalue(kind)
    hc.transpose(folder, out, order=order, chunks=16, voxel_size=4)
    made = hc.open(out)
    np.testing.assert_array_equal(made.compute(), turned(volume, order))
    assert made.voxel_size == (4, 4, 4)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    told = dict(zarr.open_group(out, mode="r").attrs)["hoaconv"]
    assert told["source"] == folder.name
    assert (told["options"]["order"], told["ops"]) == (order, f"transpose {order}")


def test_scratch_is_removed_when_the_second_sweep_fails(tiffs, out, monkeypatch):
    before = transposing._turned

    def failing(volume, *rest):
        assert list(out.parent.glob(".hoaconv-*"))
        raise KeyboardInterrupt

    monkeypatch.setattr(transposing, "_turned", failing)
    with pytest.raises(KeyboardInterrupt):
        hc.transpose(tiffs, out, order="yxz")
    assert list(out.parent.iterdir()) == []
    assert before is not failing


def test_slices_that_cannot_be_read_leave_nothing(make_tiffs, volume, out):
    folder = make_tiffs(out.parent / "s", volume[:5])
    file = folder / "slice_0003.tif"
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(SourceError):
        hc.transpose(folder, out, order="yxz")
    assert [path.name for path in out.parent.iterdir()] == ["s"]


def test_a_transposed_volume_is_known_by_its_order(store):
    first = hc.open(store)
    one, other = first | "transpose yxz", first | "transpose yxz"
    assert one.same_as(other)
    assert not one.same_as(first | "transpose xzy")
    (source,) = sources_of(first.plan)
    assert isinstance(source, ArrayVolume)
    assert source.transposed((1, 2, 0)) == source.transposed((1, 0, 2)).transposed((0, 2, 1))
    assert source.transposed((1, 2, 0)) != source.transposed((2, 0, 1))


def test_arrays_in_memory_and_chains_are_turned_too(volume):
    opened = hc.open(volume)
    np.testing.assert_array_equal((opened | "transpose xyz").compute(), turned(volume, "xyz"))
    chain = "gaussian 1 | transpose yxz | crop 3:9,:,:"
    expected = turned((opened | "gaussian 1").compute(), "yxz")[3:9]
    np.testing.assert_array_equal((opened | chain).compute(), expected)


def test_what_is_not_understood(store, tiffs, out):
    with pytest.raises(SpellingError, match="give `order`"):
        hc.transpose(store, out)
    with pytest.raises(SpellingError, match="letters z, y, x in the new order"):
        hc.transpose(store, out, order="yyx")
    out.mkdir()
    (out / "mine").write_text("")
    with pytest.raises(StoreError):
        hc.transpose(tiffs, out, order="yxz")
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_the_command(store, volume, out):
    result = CliRunner().invoke(app, ["transpose", str(store), str(out), "--order", "xyz"])
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(hc.open(out).compute(), turned(volume, "xyz"))


# Conversion by the name of the output


@pytest.mark.parametrize("src", ["tiffs", "store"])
@pytest.mark.parametrize(
    "dst", ["b.zarr", "b.ome.zarr", "b.tif", "b.ome.tif", "b.h5", "folder", "folder/"]
)
def test_the_name_says_what_is_made(request, volume, tmp_path, src, dst):
    hc.convert(request.getfixturevalue(src), f"{tmp_path}/{dst}")
    np.testing.assert_array_equal(hc.open(f"{tmp_path}/{dst}").compute(), volume)
    if dst.endswith(".tif"):
        np.testing.assert_array_equal(tifffile.imread(tmp_path / dst), volume)
    assert (tmp_path / dst).is_dir() == (not dst.endswith((".tif", ".h5")))


def test_options_go_to_the_verb_that_has_them(store, volume, tmp_path):
    hc.convert(store, tmp_path / "b", format="png", ops="add 1")
    assert len(list((tmp_path / "b").glob("*.png"))) == 37
    hc.convert(store, tmp_path / "c.zarr", chunks=8, label={"m": "threshold 9"}, levels=1)
    assert hc.open(tmp_path / "c.zarr/labels/m").compute().max() == 1
    with pytest.raises(SpellingError, match=r"c takes no `chunks`"):
        hc.convert(store, tmp_path / "c", chunks=8)
    with pytest.raises(SpellingError, match=r"d.zarr takes no `format`"):
        hc.convert(store, tmp_path / "d.zarr", format="png")
    with pytest.raises(SpellingError, match=r"names no output.*DST\.zarr.*DST\.tif"):
        hc.convert(store, tmp_path / "c.dcm")
    assert not (tmp_path / "d.zarr").exists()


def test_convert_is_a_command(tiffs, tmp_path):
    result = CliRunner().invoke(app, ["convert", str(tiffs), str(tmp_path / "a.zarr"), "-q"])
    assert (result.exit_code, result.output) == (0, "")
    result = CliRunner().invoke(app, ["convert", str(tiffs), str(tmp_path / "a.dcm")])
    assert result.exit_code == 2


def test_a_volume_too_large_to_turn_in_memory_is_refused(tiffs):
    job = hc.open(tiffs) | "gaussian 1 | transpose yxz"
    with pytest.raises(PlanError):
        job.compute(budget="1MB")


def test_an_image_with_levels_is_rechunked_and_keeps_them(tiffs, tmp_path):
    hc.stack_to_omezarr(tiffs, tmp_path / "a.zarr", chunks=16, factors=(1, 2, 2))
    report = hc.convert(tmp_path / "a.zarr", tmp_path / "b.zarr", chunks=8)
    assert type(report).__name__ == "Rechunked"
    first, second = hc.open(tmp_path / "a.zarr").levels, hc.open(tmp_path / "b.zarr").levels
    assert len(first) == len(second) > 1
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.compute(), other.compute())
    report = hc.convert(tmp_path / "a.zarr", tmp_path / "c.zarr", chunks=8, ops="add 1")
    assert type(report).__name__ == "Report"
