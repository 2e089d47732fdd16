"""HDF5 and NeXus files: which dataset is taken, how large its voxels are, each chunk once."""

import os

import h5py
import hdf5plugin
import numpy as np
import pytest
from in_memory import Keep

from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.errors import SourceError
from hoaconv.io import hdf5_array
from hoaconv.io.file_array import FileArray
from hoaconv.io.hdf5_array import Hdf5Array
from hoaconv.io.source import open_volume

pytestmark = pytest.mark.one_python

SHAPE = (11, 17, 13)


def swept(source, workers=2):
    sink = Keep()
    run(schedule(Plan.read(source) | sink, Limits(1 << 40, workers)))
    return sink.volume


@pytest.fixture
def vol(make_volume):
    return make_volume(SHAPE)


@pytest.fixture
def file(tmp_path):
    """A new file; a test closes it before it reads."""
    with h5py.File(tmp_path / "a.h5", "w") as made:
        yield made


def group(parent, name, kind, **attributes):
    made = parent.require_group(name)
    made.attrs["NX_class"] = kind
    made.attrs.update(attributes)
    return made


def opened(file, inside=""):
    path = file.filename
    file.close()
    return open_volume(f"{path}::{inside}" if inside else path)


# Which dataset


@pytest.mark.parametrize("inside", ["", "/entry/data", "entry/data", "/entry", "entry/"])
def test_a_dataset_is_named_or_the_only_one(file, vol, inside):
    file["entry/data"] = vol
    file["entry/angles"] = np.arange(11)
    file["entry/title"] = "scan"
    source = opened(file, inside)
    np.testing.assert_array_equal(swept(source), vol)
    assert str(source) == "a.h5::/entry/data"


def test_default_and_signal_lead_to_the_dataset(file, vol):
    file.attrs["default"] = "second"
    group(file, "first", "NXentry")["data"] = vol[:3]
    entry = group(file, "second", "NXentry", default="images")
    entry["other"] = vol[:2]
    group(entry, "images", "NXdata", signal="counts")["counts"] = vol
    assert str(opened(file)) == "a.h5::/second/images/counts"


def test_old_files_mark_the_signal_at_the_dataset(file, vol):
    data = group(file, "entry/data", "NXdata")
    data["raw"], data["other"] = vol, vol[:4]
    data["raw"].attrs["signal"] = 1
    assert str(opened(file)) == "a.h5::/entry/data/raw"


def test_the_reconstruction_of_nabu_is_taken_among_others(file, vol):
    file["entry0000/reconstruction/results/data"] = vol
    file["entry0000/histogram/results/data"] = vol[:2]
    assert str(opened(file)) == "a.h5::/entry0000/reconstruction/results/data"


def test_the_signal_of_an_nxdata_is_taken_among_other_datasets(file, vol):
    file["a/flat"] = vol[:2]
    group(file, "a/b", "NXdata", signal="x")["x"] = vol
    assert str(opened(file)) == "a.h5::/a/b/x"


def test_a_default_that_is_a_curve_is_passed_over(file, vol):
    file.attrs["default"] = "plot"
    group(file, "plot", "NXdata", signal="y")["y"] = np.arange(9.0)
    file["volume"] = vol
    assert str(opened(file)) == "a.h5::/volume"


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        (
            "",
            r"holds 2 volumes: name one, as in a\.h5::/x/b; it holds /x/b \(11 x 17 x 13 u",
        ),
        ("/x/c", r"has no /x/c; it holds /x/b \(11 x 17 x 13 uint16\), /a \(2 x 17 x 13 float32\)"),
        ("/words", r"::/words is no volume: it has the shape \(3,\)"),
        ("/gone", r"has no /gone \(a link leads to a file that is missing\)"),
    ],
)
def test_what_is_there_is_listed_with_its_shape(file, vol, inside, said):
    file["a"], file["x/b"] = vol[:2].astype("f4"), vol
    file["words"] = [b"a", b"b", b"c"]
    file["gone"] = h5py.ExternalLink("gone.h5", "/data")
    with pytest.raises(SourceError, match=said):
        opened(file, inside)


def test_a_file_without_a_volume_is_refused(file):
    file["curve"] = np.arange(5)
    with pytest.raises(SourceError, match="holds no volume; it holds no dataset of numbers"):
        opened(file)


def test_links_are_followed_and_loops_end(file, vol, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["there"] = vol
    file["here"] = h5py.ExternalLink("other.h5", "/there")
    file["a/loop"] = h5py.SoftLink("/")
    file["same"] = h5py.SoftLink("/here")
    source = opened(file)
    np.testing.assert_array_equal(swept(source), vol)
    assert {path.name for path in source.files} == {"a.h5", "other.h5"}


def test_projections_are_told(file, vol):
    entry = group(file, "entry", "NXentry")
    detector = group(entry, "instrument/detector", "NXdetector")
    detector["data"], detector["image_key"] = vol, np.zeros(11, int)
    assert "holds projections of a scan" in opened(file).notes[0]


# How it is stored


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, FileArray),
        ({"chunks": (4, 8, 8)}, Hdf5Array),
        ({"chunks": (1, 17, 13), "compression": "gzip", "shuffle": True}, Hdf5Array),
        ({"chunks": (3, 5, 13), "compression": "lzf", "fletcher32": True}, Hdf5Array),
        ({"chunks": (4, 8, 8), **hdf5plugin.Blosc(cname="zstd")}, Hdf5Array),
        ({"chunks": (4, 8, 8), **hdf5plugin.Bitshuffle()}, Hdf5Array),
        ({"chunks": (4, 8, 8), "maxshape": (None, 17, 13)}, Hdf5Array),
        ({"external": "voxels.raw"}, Hdf5Array),
    ],
)
@pytest.mark.parametrize("workers", [1, 3])
def test_each_layout_is_read(file, vol, options, kind, workers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file.create_dataset("data", data=vol, **options)
    source = opened(file)
    assert type(source.array) is kind
    np.testing.assert_array_equal(swept(source, workers), vol)


def test_a_users_block_before_the_file_and_another_name(tmp_path, vol):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        file["data"] = vol
    path = (tmp_path / "a.h5").rename(tmp_path / "a.something")
    source = open_volume(path)
    assert type(source.array) is FileArray
    np.testing.assert_array_equal(swept(source), vol)


class Boxes:
    """A dataset that notes which boxes are read."""

    def __init__(self, dataset):
        self.dataset, self.boxes = dataset, []

    def __getattr__(self, name):
        return getattr(self.dataset, name)

    def __getitem__(self, box):
        self.boxes.append(box)
        return self.dataset[box]


@pytest.mark.parametrize("order", ["zyx", "xyz"])
@pytest.mark.parametrize("workers", [1, 3])
def test_each_chunk_is_unpacked_once(file, vol, order, workers, monkeypatch):
    file.create_dataset("data", data=vol, chunks=(4, 8, 8), compression="gzip", shuffle=True)
    path, corners, own = file.filename, [], Hdf5Array._chunk
    file.close()

    def noted(array, corner, whole):
        corners.append(corner)
        return own(array, corner, whole)

    monkeypatch.setattr(Hdf5Array, "_chunk", noted)
    swept(open_volume(path, source_axes=order), workers)
    assert len(corners) == len(set(corners)) == 3 * 3 * 2


@pytest.mark.parametrize("order", ["zyx", "xyz"])
def test_each_chunk_that_hdf5_decodes_is_decoded_once(file, vol, order):
    file.create_dataset("data", data=vol, chunks=(4, 8, 8), fletcher32=True)
    path = file.filename
    file.close()
    source = open_volume(path, source_axes=order)
    noted = source.array._dataset = Boxes(source.array._dataset)
    swept(source, workers=3)
    chunks = (4, 8, 8)
    touched = 0
    for box in noted.boxes:
        sides = list(zip(box, chunks, strict=True))
        assert all(side.start % c == 0 for side, c in sides)
        touched += np.prod([-(-side.stop // c) - side.start // c for side, c in sides])
    assert touched == 3 * 3 * 2


@pytest.mark.parametrize("dtype", ["u1", ">u2", "<i4", ">f8", "?"])
@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip", "shuffle": True},
        {"compression": "lzf", "shuffle": True},
        {"compression": "lzf"},
        dict(hdf5plugin.Zstd()),
        dict(hdf5plugin.Blosc(shuffle=hdf5plugin.Blosc.BITSHUFFLE)),
        dict(hdf5plugin.Blosc(cname="lz4", shuffle=hdf5plugin.Blosc.NOSHUFFLE)),
    ],
)
def test_a_box_of_packed_chunks_is_what_h5py_reads(file, make_volume, dtype, options):
    volume = make_volume(SHAPE, "uint16").astype(dtype)
    data = file.create_dataset("data", SHAPE, dtype, chunks=(4, 8, 8), **options)
    data[:9, :, :8] = volume[:9, :, :8]  # some chunks aren't stored
    path = file.filename
    file.close()
    with h5py.File(path, "a") as file:  # a chunk for which the filters were of no use
        plain = np.ascontiguousarray(volume[:4, :8, :8])
        file["data"].id.write_direct_chunk((0, 0, 0), plain, filter_mask=3)
    with h5py.File(path) as file:
        expected = file["data"][:]
    array = open_volume(path).array
    for box in np.s_[:, :, :], np.s_[3:10, 2:9, 5:13], np.s_[0:1, 16:17, 12:13]:
        whole = tuple(slice(*side.indices(n)) for side, n in zip(box, SHAPE, strict=True))
        np.testing.assert_array_equal(array.read(whole), expected[box])
    assert array._filters is not None


def virtual(tmp_path, vol, file, **options):
    layout = h5py.VirtualLayout(vol.shape, vol.dtype)
    for z in range(0, len(vol), 4):
        part = vol[z : z + 4]
        with h5py.File(tmp_path / f"part{z}.h5", "w") as made:
            made.create_dataset("data", data=part, **options)
        layout[z : z + 4] = h5py.VirtualSource(f"part{z}.h5", "data", shape=part.shape)
    file.create_virtual_dataset("data", layout)


@pytest.mark.parametrize("options", [{}, {"chunks": (3, 8, 8), "compression": "gzip"}])
def test_a_virtual_dataset_is_read_as_thick_as_its_parts_chunks(tmp_path, vol, file, options):
    virtual(tmp_path, vol, file, **options)
    source = opened(file)
    np.testing.assert_array_equal(swept(source), vol)
    assert source.depth == (3 if options else 1)


def test_a_part_of_a_virtual_dataset_that_is_missing_is_an_error_and_no_zeros(tmp_path, vol, file):
    virtual(tmp_path, vol, file)
    os.remove(tmp_path / "part4.h5")
    path = file.filename
    with pytest.raises(SourceError, match=r"part4\.h5 is missing"):
        opened(file)
    with h5py.File(tmp_path / "part4.h5", "w") as other:
        other["else"] = 1
    with pytest.raises(SourceError, match=r"part4\.h5 lacks the dataset data"):
        open_volume(path)


def test_missing_chunks_are_told(file, vol):
    data = file.create_dataset("data", SHAPE, "u2", chunks=(4, 17, 13), fillvalue=7)
    data[:4] = vol[:4]
    source = opened(file)
    assert source.notes == ("2 of 3 chunks of a.h5::/data aren't stored; they are read as 7",)
    assert (swept(source)[4:] == 7).all()


def test_a_missing_filter_is_named(file, vol, monkeypatch):
    file.create_dataset("data", data=vol, chunks=(4, 8, 8), **hdf5plugin.Blosc())
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: False)
    path = file.filename
    with pytest.raises(SourceError, match=r"packed by the filter Blosc.*h5repack"):
        opened(file)
    monkeypatch.setitem(__import__("sys").modules, "hdf5plugin", None)
    with pytest.raises(SourceError, match=r'pip install "hoaconv\[hdf5\]" brings hdf5plugin'):
        open_volume(path)


def test_a_chunk_that_is_damaged_is_an_error(file, vol):
    data = file.create_dataset("data", data=vol, chunks=(4, 17, 13), compression="gzip")
    chunk = data.id.get_chunk_info(1)
    path = file.filename
    file.close()
    with open(path, "r+b") as stream:
        stream.seek(chunk.byte_offset)
        stream.write(b"\xff" * 100)
    source = open_volume(path)
    with pytest.raises(SourceError, match=r"a\.h5, voxels 4:8.* of /data, can't be read"):
        swept(source)


def test_a_file_that_is_being_written_or_changes_is_refused(file, vol):
    file["data"] = vol
    file.create_dataset("more", data=vol, chunks=True)
    source = opened(file, "/more")
    with open(source.path, "ab") as stream:
        stream.write(b"more")
    with pytest.raises(SourceError, match="changed while hoaconv ran"):
        swept(source)


def test_booleans_enums_and_halves(file, vol):
    file["mask"] = vol > 30000
    file["half"] = (vol / 100).astype("f2")
    kinds = h5py.enum_dtype({"A": 0, "B": 1}, basetype="i2")
    file.create_dataset("kinds", data=(vol % 2).astype("i2"), dtype=kinds)
    file["complex"] = vol.astype("c8")
    path = file.filename
    file.close()
    np.testing.assert_array_equal(swept(open_volume(f"{path}::mask")), vol > 30000)
    np.testing.assert_array_equal(swept(open_volume(f"{path}::kinds")), vol % 2)
    half = swept(open_volume(f"{path}::half"))
    np.testing.assert_array_equal(half, (vol / 100).astype("f2").astype("f4"))
    with pytest.raises(SourceError, match="is no volume"):
        open_volume(f"{path}::complex")


def test_memory_that_is_counted_covers_a_chunk(file, vol):
    file.create_dataset("data", data=vol, chunks=(4, 8, 8))
    array = opened(file).array
    assert array.reading_bytes(1) >= hdf5_array.CACHE_BYTES + 2 * 4 * 8 * 8 * 2


# How large voxels are


def axis(data, name, places, units=None):
    data[name] = places
    if units:
        data[name].attrs["units"] = units


@pytest.mark.parametrize(
    ("units", "step", "edge"),
    [("um", 2.0, 2), ("mm", 0.002, 2), (None, 2e-6, 2), ("m", 2e-6, 2), ("degree", 2, None)],
)
def test_the_axes_of_an_nxdata_tell_size_and_place(file, vol, units, step, edge):
    data = group(file, "data", "NXdata", signal="v", axes=["z", "y", "x"])
    data["v"] = vol
    for name, n in zip("zyx", SHAPE, strict=True):
        axis(data, name, (np.arange(n) + 5) * step, units)
    geometry = opened(file).geometry
    if edge is None:
        assert geometry.unit is None
        return
    np.testing.assert_allclose(geometry.edges, (edge,) * 3, rtol=1e-6)
    np.testing.assert_allclose(geometry.origin, (5 * edge,) * 3, rtol=1e-6)
    assert (geometry.unit, geometry.told_by) == ("micrometer", "NXdata axes")


def test_axes_of_an_nxdata_in_another_order_are_taken(file, vol):
    data = group(file, "data", "NXdata", signal="v", axes=["x", "y", "z"])
    data["v"] = vol.transpose(2, 1, 0)
    axis(data, "x", np.arange(13.0), "um")
    axis(data, "y", np.arange(17.0) * 2, "um")
    axis(data, "z", np.arange(11.0) * 3, "um")
    source = opened(file)
    np.testing.assert_array_equal(swept(source), vol)
    assert source.geometry.edges == (3, 2, 1)


def test_uneven_axes_tell_nothing(file, vol):
    data = group(file, "data", "NXdata", signal="v", axes=["z", "y", "x"])
    data["v"] = vol
    for name, n in zip("zyx", SHAPE, strict=True):
        axis(data, name, np.arange(n) ** 2.0, "um")
    assert opened(file).geometry.unit is None


@pytest.mark.parametrize(
    ("attributes", "edges"),
    [
        ({"element_size_um": (3, 2, 1)}, (3, 2, 1)),
        ({"voxel_size": 2e-6}, (2, 2, 2)),
        ({"voxel_size": (3, 2, 1), "voxel_size_units": "um"}, (3, 2, 1)),
        ({"element_size_um": (0, 0, 0), "voxel_size": (3e-6, 2e-6, 1e-6)}, (3, 2, 1)),
        ({"element_size_um": "large"}, None),
    ],
)
def test_attributes_of_the_dataset_tell_the_size(file, vol, attributes, edges):
    file["data"] = vol
    file["data"].attrs.update(attributes)
    geometry = opened(file).geometry
    assert geometry.voxel_size == edges


def test_the_configuration_of_tomoscan_tells_size_and_place_of_the_middle(file, vol):
    base = "entry/reconstruction"
    file[f"{base}/results/data"] = vol
    options = f"{base}/configuration/processing_options/reconstruction"
    file[f"{options}/voxel_size_cm"] = np.array([3e-4, 2e-4, 1e-4])
    file[f"{options}/position"] = np.array([1e-3, 0, 0])
    geometry = opened(file).geometry
    np.testing.assert_allclose(geometry.edges, (3, 2, 1))
    np.testing.assert_allclose(geometry.origin, (1000 - 15, -16, -6))


@pytest.mark.parametrize("z", [True, False])
def test_pixel_sizes_of_the_detector_tell_the_size(file, vol, z):
    entry = group(file, "entry", "NXentry")
    group(entry, "data", "NXdata", signal="v")["v"] = vol
    detector = group(entry, "instrument/detector", "NXdetector")
    detector["x_pixel_size"], detector["y_pixel_size"] = 2e-6, [2e-6]
    if z:
        detector["z_pixel_size"] = 0.004
        detector["z_pixel_size"].attrs["units"] = "mm"
    assert opened(file).geometry.edges == (4 if z else 2, 2, 2)


@pytest.mark.parametrize(("size", "doubted"), [(1e-2, True), (1e-13, True), (5e-4, False)])
def test_sizes_that_are_unlikely_are_doubted(file, vol, size, doubted):
    file["data"] = vol
    file["data"].attrs["voxel_size"] = size
    notes = opened(file).notes
    assert any("are unlikely: check the unit" in note for note in notes) == doubted


def test_channels_and_times_are_axes_by_their_labels(file, vol):
    both = np.stack([vol, vol[::-1]])
    file["data"] = both
    for dim, name in zip(file["data"].dims, "czyx", strict=True):
        dim.label = name
    path = file.filename
    file["data"].attrs["element_size_um"] = (3, 2, 1)
    file.close()
    source = open_volume(path, channel=1)
    np.testing.assert_array_equal(swept(source), both[1])
    assert source.geometry.edges == (3, 2, 1)
    with h5py.File(path, "a") as file:
        file["tagged"] = both.transpose(1, 2, 3, 0)
        file["tagged"].attrs["axistags"] = (
            '{"axes": [{"key": "z"}, {"key": "y"}, {"key": "x"}, {"key": "c"}]}'
        )
    np.testing.assert_array_equal(swept(open_volume(f"{path}::tagged", channel=0)), both[0])


@pytest.mark.parametrize("told", ["element_size_um", "pixel_size"])
def test_the_size_of_a_single_plane_is_told(file, vol, told):
    file["plane"] = vol[0]
    if told == "pixel_size":
        file["x_pixel_size"] = file["y_pixel_size"] = 2e-6
    else:
        file["plane"].attrs["element_size_um"] = (7, 2, 2)
    source = opened(file)
    np.testing.assert_array_equal(swept(source), vol[:1])
    assert source.geometry.edges == (2, 2, 2)


def test_nodes_of_another_kind_than_their_names_say_are_passed_over(file, vol):
    entry = group(file, "entry", "NXentry")
    entry["results/data"] = vol
    entry["sample"] = "brain"
    entry["type"] = np.dtype("u2")
    entry["circle"] = h5py.SoftLink("/entry/circle")
    entry["results"].create_group("image_key")
    entry["configuration/processing_options/reconstruction"] = 3
    np.testing.assert_array_equal(swept(opened(file)), vol)


@pytest.mark.parametrize("inside", ["circle", "type"])
def test_links_in_a_circle_and_types_are_no_datasets(file, vol, inside):
    file["data"] = vol
    file["type"] = np.dtype("u2")
    file["circle"] = h5py.SoftLink("/circle")
    with pytest.raises(SourceError, match=r"it holds /data \(11 x 17 x 13"):
        opened(file, inside)


@pytest.mark.parametrize("options", [{"compression": "gzip"}, {"fletcher32": True}])
def test_missing_chunks_are_an_error_if_asked_for(file, vol, options):
    made = file.create_dataset("data", SHAPE, vol.dtype, chunks=(4, 8, 8), **options)
    made[:4] = vol[:4]
    path = file.filename
    file.close()
    strict = open_volume(path, missing="error")
    assert not any("stored" in note for note in strict.notes)
    np.testing.assert_array_equal(swept(strict.choose(range(4))), vol[:4])
    with pytest.raises(SourceError, match=r"lacks the chunk at 4, 0, 0; copy .*`missing=\"fill\"`"):
        swept(strict, workers=1)
