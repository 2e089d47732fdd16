"""Volumes in one file, each written and read back by its own library."""

import gzip
import pickle
from dataclasses import dataclass

import fabio
import h5py
import metaimageio
import nibabel
import nrrd
import numpy as np
import pytest
from in_memory import Keep
from invoking import SOURCE, refused, run

import hoaconv as hc
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run as run_schedule
from hoaconv.engine.schedule import Limits
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io import file_array
from hoaconv.io.source import open_volume
from hoaconv.ops.cropping import Crop
from hoaconv.ops.geometry import Flip

pytestmark = pytest.mark.one_python

SHAPE = (11, 17, 13)


def swept(source, *parts, workers=2):
    """The voxels that a sweep gives."""
    sink = Keep()
    plan = Plan.read(source)
    for part in parts:
        plan |= part
    run_schedule(schedule(plan | sink, Limits(1 << 40, workers)))
    return sink.volume


def write_nifti(path, volume):
    image = nibabel.Nifti1Image(volume.transpose(2, 1, 0), np.diag([0.25, 0.5, 0.75, 1]))
    image.header.set_xyzt_units("mm")
    image.to_filename(path)


def nifti_of(path):
    image = nibabel.load(path)
    return np.asarray(image.dataobj).transpose(2, 1, 0), image.header.get_zooms()[::-1]


def write_nrrd(encoding):
    def write(path, volume):
        header = {"encoding": encoding, "spacings": [0.25, 0.5, 0.75], "units": ["mm"] * 3}
        nrrd.write(str(path), volume, header=header, index_order="C")

    return write


def nrrd_of(path):
    voxels, header = nrrd.read(str(path), index_order="C")
    return voxels, header["spacings"][::-1]


def write_metaimage(*, packed):
    def write(path, volume):
        options = {"CompressedData": True} if packed else {}
        metaimageio.write(path, volume, ElementSpacing=(0.25, 0.5, 0.75), **options)

    return write


def metaimage_of(path):
    voxels, header = metaimageio.read(path)
    return voxels, header["ElementSpacing"][::-1]


def write_hdf5(**given):
    def write(path, volume):
        options = dict(given)
        with h5py.File(path, "w") as file:
            if "chunks" in options:
                pairs = zip(options["chunks"], volume.shape, strict=True)
                options["chunks"] = tuple(map(min, pairs))
            data = file.create_dataset("entry/data", data=volume, **options)
            data.attrs["element_size_um"] = (750, 500, 250)

    return write


def hdf5_of(path):
    with h5py.File(path) as file:
        data = file["entry/data"]
        return data[:], data.attrs["element_size_um"] / 1000


@dataclass
class Kind:
    suffix: str
    write: object
    read: object


KINDS = {
    "NIfTI": Kind(".nii", write_nifti, nifti_of),
    "NIfTI, packed": Kind(".nii.gz", write_nifti, nifti_of),
    "NRRD": Kind(".nrrd", write_nrrd("raw"), nrrd_of),
    "NRRD, gzip": Kind(".nrrd", write_nrrd("gzip"), nrrd_of),
    "NRRD, bzip2": Kind(".nrrd", write_nrrd("bzip2"), nrrd_of),
    "NRRD, two files": Kind(".nhdr", write_nrrd("raw"), nrrd_of),
    "NRRD, two files, gzip": Kind(".nhdr", write_nrrd("gzip"), nrrd_of),
    "MetaImage": Kind(".mha", write_metaimage(packed=False), metaimage_of),
    "MetaImage, packed": Kind(".mha", write_metaimage(packed=True), metaimage_of),
    "MetaImage, two files": Kind(".mhd", write_metaimage(packed=False), metaimage_of),
    "MetaImage, two files, packed": Kind(".mhd", write_metaimage(packed=True), metaimage_of),
    "HDF5": Kind(".h5", write_hdf5(), hdf5_of),
    "HDF5, chunks": Kind(".h5", write_hdf5(chunks=(4, 8, 8), compression="gzip"), hdf5_of),
}
DTYPES = {
    "NIfTI": ("uint8", "int8", "uint16", "int16", "uint32", "float32", "float64"),
    "NRRD": ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "float32"),
    "MetaImage": ("uint8", "int8", "uint16", "int16", "uint32", "int64", "float32", "float64"),
    "HDF5": ("uint8", "int8", ">u2", "int16", ">i4", "uint64", ">f4", "float64", "float16", "?"),
}


def cases():
    for kind in KINDS:
        dtypes = DTYPES[kind.partition(",")[0]]
        # Every dtype for the plain kind; two of them for what is stored otherwise alone.
        yield from ((kind, dtype) for dtype in (dtypes if "," not in kind else dtypes[2:4]))


@pytest.fixture
def made(tmp_path, make_volume):
    """A function that writes a volume as a file of a kind; it returns the path and the voxels."""

    def make(kind, shape=SHAPE, dtype="uint16"):
        name = "bool" if dtype == "?" else dtype
        volume = make_volume(shape, "uint8") > 90 if name == "bool" else make_volume(shape, dtype)
        path = tmp_path / f"a{KINDS[kind].suffix}"
        KINDS[kind].write(path, volume.astype(dtype))
        return path, volume

    return make


@pytest.mark.parametrize(("kind", "dtype"), list(cases()))
def test_voxels_and_their_size_are_what_the_formats_own_library_says(made, kind, dtype):
    path, volume = made(kind, dtype=dtype)
    source = open_volume(path)
    theirs, edges = KINDS[kind].read(path)
    np.testing.assert_array_equal(theirs, volume)
    read = swept(source, workers=3)
    np.testing.assert_array_equal(read, theirs)
    assert source.spec.dtype.isnative
    assert read.dtype.name == {"bool": "uint8", "float16": "float32"}.get(
        theirs.dtype.name, theirs.dtype.name
    )
    factor = 1000 if source.geometry.unit == "micrometer" else 1
    np.testing.assert_allclose(source.geometry.edges, np.array(edges, float) * factor)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 5), (7, 1, 3), (3, 4, 1)])
def test_one_slice_and_one_voxel(made, kind, shape):
    path, volume = made(kind, shape=shape)
    source = open_volume(path)
    assert source.spec.shape == shape
    np.testing.assert_array_equal(swept(source), volume)


@pytest.mark.parametrize("kind", KINDS)
def test_planes_in_any_order_and_parts_of_them(made, kind, monkeypatch):
    monkeypatch.setattr(file_array, "PIECE_BYTES", 1 << 10)
    path, volume = made(kind)
    source = open_volume(path)
    np.testing.assert_array_equal(swept(source, Flip("z"), workers=2), volume[::-1])
    np.testing.assert_array_equal(swept(source, Crop("3:9,2:,:5")), volume[3:9, 2:, :5])
    np.testing.assert_array_equal(swept(source.choose([7, 0, 7, 3])), volume[[7, 0, 7, 3]])
    turned = open_volume(path, source_axes="xyz")
    np.testing.assert_array_equal(swept(turned), volume.transpose(2, 1, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_is_a_value_that_can_be_sent(made, kind):
    path, volume = made(kind)
    source = open_volume(path).choose(range(2, 8))
    sent = pickle.loads(pickle.dumps(source))
    assert sent == source
    np.testing.assert_array_equal(swept(sent), volume[2:8])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_short_is_refused_before_the_run_or_ends_it(made, kind, tmp_path):
    path, _ = made(kind)
    data = next((f for f in tmp_path.iterdir() if f != path), path)  # that of two files
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    text = refused(run(path, tmp_path / "o.zarr"), SOURCE, data.name)
    assert "cut short" in text or "damaged" in text
    assert not (tmp_path / "o.zarr").exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"garbage " * 700])
def test_garbage_is_refused_in_one_sentence(made, kind, tmp_path, content):
    path, _ = made(kind)
    path.write_bytes(content)
    text = refused(run(path, tmp_path / "o.zarr"), SOURCE, path.name)
    assert len(text) < 400
    assert not (tmp_path / "o.zarr").exists()


@pytest.mark.parametrize("kind", ["NIfTI", "NRRD, two files", "HDF5, chunks", "NIfTI, packed"])
def test_a_file_that_changes_meanwhile_is_refused(made, kind, tmp_path):
    path, _ = made(kind)
    source = open_volume(path)
    data = next((f for f in tmp_path.iterdir() if f != path), path)
    data.write_bytes(data.read_bytes() + b"more")
    with pytest.raises(SourceError, match=r"changed while hoaconv ran"):
        swept(source)


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha", ".h5", ".vol"])
def test_a_missing_file_is_told_with_its_neighbours(tmp_path, suffix):
    (tmp_path / f"scan1{suffix}").touch()
    with pytest.raises(SourceError, match=f"does not exist; .* holds scan1{suffix}"):
        open_volume(tmp_path / f"scan{suffix}")


@pytest.mark.parametrize(
    ("kind", "name", "extra"),
    [
        ("HDF5", "h5py", "hdf5"),
        ("NRRD", "nrrd", "nrrd"),
        ("NIfTI", "nibabel", "nifti"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(made, monkeypatch, kind, name, extra):
    path, _ = made(kind)
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(SourceError, match=rf'pip install "hoaconv\[{extra}\]"'):
        open_volume(path)


def test_options_of_other_kinds_are_refused(made):
    path, _ = made("NIfTI")
    with pytest.raises(SourceError, match="is NIfTI, which tells its shape"):
        open_volume(path, shape=SHAPE)
    with pytest.raises(SourceError, match="holds one volume; drop ::/entry"):
        open_volume(f"{path}::/entry")
    with pytest.raises(SourceError, match="only JP2 slices hold lower resolutions"):
        open_volume(path, reduce=2)


# raw


@pytest.mark.parametrize("dtype", ["uint8", "<u2", ">u2", ">i4", "<f4", ">f8", "int64"])
def test_a_raw_file_is_what_its_options_say(tmp_path, make_volume, dtype):
    volume = make_volume(SHAPE, dtype)
    path = tmp_path / "a.raw"
    volume.astype(dtype).tofile(path)
    for shape in (SHAPE, "11,17,13", np.array(SHAPE)):
        opened = hc.open(path, shape=shape, dtype=np.dtype(dtype))
        np.testing.assert_array_equal(opened.compute(), volume)
    one, other = (open_volume(path, shape=SHAPE, dtype=dtype) for _ in range(2))
    assert one == other
    path.rename(tmp_path / "a.xyz")
    named = hc.open(tmp_path / "a.xyz", shape=SHAPE, dtype=dtype)
    np.testing.assert_array_equal(named.compute(), volume)


def test_a_raw_file_has_exactly_the_size_of_its_voxels(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(2 * 11 * 17 * 13))
    with pytest.raises(SourceError, match=r"4862 bytes, and 12 x 17 x 13.*5304.*11 such planes"):
        open_volume(path, shape=(12, 17, 13), dtype="uint16")
    with pytest.raises(SourceError, match="take 2431; check"):
        open_volume(path, shape=SHAPE, dtype="uint8")
    with pytest.raises(SpellingError, match=r'give both, as in `shape="1000,2048,2048"`'):
        open_volume(path, dtype="uint8")
    path.with_suffix(".mhd").touch()
    with pytest.raises(SpellingError, match=r"name its header, .*a\.mhd, or"):
        open_volume(path)
    with pytest.raises(SpellingError, match="dtype 'uint17' is not the dtype of voxels"):
        hc.open(path, shape=SHAPE, dtype="uint17")
    with pytest.raises(SpellingError, match="dtype 'complex64' is not"):
        hc.open(path, shape=SHAPE, dtype="complex64")
    with pytest.raises(SourceError, match="is a folder"):
        open_volume(tmp_path, shape=SHAPE, dtype="uint8")


# .vol


INFO = """! PyHST_SLAVE VOLUME INFO FILE
NUM_X =  13
NUM_Y =  17
NUM_Z =  11
voxelSize =  3.500000
BYTEORDER = {order}
ValMin = -1
ValMax = 3
"""


@pytest.mark.parametrize("name", ["a.vol.info", "a.info"])
@pytest.mark.parametrize(("dtype", "order"), [("<f4", "LOWBYTEFIRST"), (">f4", "HIGHBYTEFIRST")])
def test_a_vol_file_is_what_its_info_file_says(tmp_path, make_volume, name, dtype, order):
    volume = make_volume(SHAPE, "float32")
    volume.astype(dtype).tofile(tmp_path / "a.vol")
    (tmp_path / name).write_text(INFO.format(order=order))
    source = open_volume(tmp_path / "a.vol")
    np.testing.assert_array_equal(swept(source), volume)
    assert str(source.geometry) == "3.5 x 3.5 x 3.5 micrometer (.info file)"
    assert source.notes == ()


def test_a_vol_file_of_fewer_bytes_has_integers(tmp_path, make_volume):
    volume = make_volume(SHAPE, "uint16")
    volume.tofile(tmp_path / "a.vol")
    (tmp_path / "a.vol.info").write_text(INFO.format(order="LOWBYTEFIRST"))
    source = open_volume(tmp_path / "a.vol.info")
    np.testing.assert_array_equal(swept(source), volume)
    assert "values from -1 to 3" in source.notes[0]


def test_a_vol_file_without_its_size_is_refused(tmp_path):
    path = tmp_path / "a.vol"
    path.write_bytes(bytes(4 * 11 * 17 * 13))
    with pytest.raises(SourceError, match=r"needs a\.vol\.info beside it"):
        open_volume(path)
    assert open_volume(path, shape=SHAPE, dtype="float32").spec.shape == SHAPE
    (tmp_path / "a.vol.info").write_text("NUM_X = 13\nNUM_Y = many\n")
    with pytest.raises(SourceError, match=r"a\.vol\.info has no line such as NUM_Z = 2048"):
        open_volume(path)
    (tmp_path / "a.vol.info").write_text(INFO.format(order="LOWBYTEFIRST"))
    path.write_bytes(bytes(4 * 11 * 17 * 13 + 1))
    with pytest.raises(SourceError, match=r"is it the \.info file of another volume"):
        open_volume(path)
    path.write_bytes(bytes(4 * 11 * 17 * 13 - 1))
    with pytest.raises(SourceError, match=r"a\.vol\.info promises 9724"):
        open_volume(path)
    (tmp_path / "a.vol.info").write_text(INFO.format(order="MIDDLE"))
    with pytest.raises(SourceError, match="BYTEORDER MIDDLE"):
        open_volume(path)


# What headers tell besides


def test_nifti_tells_places_scales_and_times(tmp_path, make_volume):
    volume = make_volume(SHAPE, "int16")
    affine = np.diag([-0.5, 0.5, 2, 1.0])
    affine[:3, 3] = [30, -20, 10]
    image = nibabel.Nifti1Image(volume.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("micron")
    image.header.set_slope_inter(0.5, 3)
    image.to_filename(tmp_path / "a.nii")
    source = open_volume(tmp_path / "a.nii")
    np.testing.assert_array_equal(
        swept(source), nibabel.load(tmp_path / "a.nii").dataobj.get_unscaled().transpose(2, 1, 0)
    )
    assert source.geometry.origin == (10, -20, -30)  # along its own axes
    assert source.geometry.unit == "micrometer"
    assert any("flipped or turned" in note for note in source.notes)
    assert any("multiply 0.5 | add 3" in note for note in source.notes)
    timed = np.stack([volume, volume[::-1]])
    nibabel.Nifti1Image(timed.transpose(3, 2, 1, 0), np.eye(4)).to_filename(tmp_path / "t.nii.gz")
    np.testing.assert_array_equal(swept(open_volume(tmp_path / "t.nii.gz", time=1)), timed[1])
    with pytest.raises(SourceError, match="2 times; take one"):
        open_volume(tmp_path / "t.nii.gz")


def test_nifti_of_the_other_byte_order_and_colours(tmp_path, make_volume):
    volume = make_volume(SHAPE, "uint16")
    header = nibabel.Nifti1Header(endianness=">")
    nibabel.Nifti1Image(volume.transpose(2, 1, 0).astype(">u2"), np.eye(4), header).to_filename(
        tmp_path / "a.nii"
    )
    np.testing.assert_array_equal(swept(open_volume(tmp_path / "a.nii")), volume)
    assert open_volume(tmp_path / "a.nii").geometry.unit is None
    colours = np.zeros((3, 4, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.Nifti1Image(colours, np.eye(4)).to_filename(tmp_path / "rgb.nii")
    with pytest.raises(SourceError, match="voxels of 3 values"):
        open_volume(tmp_path / "rgb.nii")


@pytest.mark.parametrize("angle", [0, 0.3])
@pytest.mark.parametrize("suffix", ["mha", "nrrd", "nii.gz"])
def test_places_are_those_of_itk_along_the_volumes_own_axes(tmp_path, make_volume, suffix, angle):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK isn't installed")
    image = sitk.GetImageFromArray(make_volume(SHAPE, "int16"))
    image.SetSpacing((0.5, 2, 3))
    image.SetOrigin((10, 20, 30))
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    image.SetDirection(turn.ravel())
    sitk.WriteImage(image, str(tmp_path / f"a.{suffix}"))
    source = open_volume(tmp_path / f"a.{suffix}")
    own = turn.T @ np.array(image.GetOrigin())  # columns of the direction are the axes
    np.testing.assert_allclose(source.geometry.origin, own[::-1], rtol=1e-5)
    np.testing.assert_allclose(source.geometry.edges, (3, 2, 0.5), rtol=1e-6)
    assert source.geometry.unit == "millimeter"


def test_channels_of_metaimage_and_nrrd_are_a_channel_axis(tmp_path, make_volume):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK isn't installed")
    colours = make_volume((11, 17, 13 * 3), "uint8").reshape(11, 17, 13, 3)
    image = sitk.GetImageFromArray(colours, isVector=True)
    for suffix in ("mha", "nrrd"):
        path = tmp_path / f"a.{suffix}"
        sitk.WriteImage(image, str(path))
        with pytest.raises(SourceError, match="3 channels; take one"):
            open_volume(path)
        source = open_volume(path, channel=2)
        np.testing.assert_array_equal(swept(source), colours[..., 2])
        assert source.geometry.edges == (1, 1, 1)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("ElementDataFile = LIST\na.raw", "several files"),
        ("ElementDataFile = a%03d.raw 1 9 1", "several files"),
        ("BinaryData = False\nElementDataFile = LOCAL", "as text"),
        ("ElementDataFile = gone.raw", "the file is gone"),
        ("", "no DimSize or ElementDataFile"),
    ],
)
def test_metaimages_that_are_stored_otherwise_are_refused(tmp_path, header, said):
    path = tmp_path / "a.mhd"
    path.write_text(f"NDims = 3\nDimSize = 3 4 5\nElementType = MET_UCHAR\n{header}\n")
    with pytest.raises(SourceError, match=said):
        open_volume(path)


def test_a_metaimage_may_have_bytes_before_its_voxels_and_the_other_byte_order(tmp_path):
    volume = np.arange(60).reshape(3, 4, 5).astype(">u2")
    (tmp_path / "a.raw").write_bytes(b"abc" + volume.tobytes())
    told = "NDims = 3\nDimSize = 5 4 3\nElementType = MET_USHORT\nElementByteOrderMSB = True\n"
    for size in (3, -1):
        text = f"{told}HeaderSize = {size}\nElementDataFile = a.raw\n"
        (tmp_path / "a.mhd").write_text(text)
        np.testing.assert_array_equal(swept(open_volume(tmp_path / "a.mhd")), volume)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("encoding: ascii", "encoding ascii; hoaconv reads raw, gzip and bzip2"),
        ("encoding: raw\ndata file: a%d.raw 1 9 1", "several files"),
        ("encoding: raw\ndata file: gone.raw", "the file is gone"),
    ],
)
def test_nrrds_that_are_stored_otherwise_are_refused(tmp_path, lines, said):
    path = tmp_path / "a.nhdr"
    path.write_text(f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 3 4 5\n{lines}\n\n")
    with pytest.raises(SourceError, match=said):
        open_volume(path)


def test_an_nrrd_may_skip_lines_and_bytes(tmp_path):
    volume = np.arange(60).reshape(3, 4, 5).astype(">u2")
    told = "NRRD0004\ntype: ushort\nendian: big\ndimension: 3\nsizes: 5 4 3\n"
    plain = b"one\ntwo\nabc" + volume.tobytes()
    for encoding, data, skips in (
        ("raw", plain, "line skip: 2\nbyte skip: 3"),
        ("raw", plain, "byte skip: -1"),
        ("gzip", b"one\n" + gzip.compress(b"abc" + volume.tobytes()), "lineskip: 1\nbyteskip: 3"),
    ):
        (tmp_path / "a.raw").write_bytes(data)
        text = f"{told}encoding: {encoding}\n{skips}\ndata file: a.raw\n"
        (tmp_path / "a.nhdr").write_text(text)
        np.testing.assert_array_equal(swept(open_volume(tmp_path / "a.nhdr")), volume)


def test_a_spacing_without_a_unit_is_told_and_not_believed(tmp_path, make_volume):
    path = tmp_path / "a.nrrd"
    nrrd.write(str(path), make_volume(SHAPE), header={"spacings": [1, 2, 3]}, index_order="C")
    source = open_volume(path)
    assert source.geometry.unit is None
    assert "spacing of 1 x 2 x 3 (x, y, z) and no unit" in source.notes[0]


# EDF


def write_edf(path, plane, **header):
    fabio.edfimage.EdfImage(data=plane, header=header).write(str(path))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "float32", "float64"])
def test_a_folder_of_edf_slices_is_a_stack(tmp_path, make_volume, dtype):
    volume = make_volume(SHAPE, dtype)
    for z, plane in enumerate(volume):
        write_edf(tmp_path / f"a_{z:03}.edf", plane, PSize_1="2e-6", PSize_2="2e-6")
    for src in (tmp_path, tmp_path / "a_*.edf"):
        source = open_volume(src)
        np.testing.assert_array_equal(swept(source), volume)
        assert source.geometry.edges == (2, 2, 2)
    theirs = fabio.open(str(tmp_path / "a_003.edf")).data
    np.testing.assert_array_equal(theirs, volume[3])


def test_slices_hold_no_datasets(tmp_path, make_tiffs, make_volume):
    folder = make_tiffs(tmp_path / "a", make_volume((2, 5, 7)))
    with pytest.raises(SourceError, match="a stack of slices, which holds no datasets; drop ::/e"):
        open_volume(f"{folder}::/e")


def test_a_folders_name_may_hold_two_colons(tmp_path, make_tiffs, make_volume):
    volume = make_volume((2, 5, 7))
    np.testing.assert_array_equal(swept(open_volume(make_tiffs(tmp_path / "a::b", volume))), volume)


def test_frames_of_one_edf_are_planes(tmp_path, make_volume):
    volume = make_volume(SHAPE, "float32")
    image = fabio.edfimage.EdfImage(data=volume[0])
    for plane in volume[1:]:
        image.append_frame(data=plane)
    image.write(str(tmp_path / "a.edf"))
    np.testing.assert_array_equal(swept(open_volume(tmp_path / "a.edf")), volume)
    taken = open_volume(tmp_path / "a.edf", slices=slice(2, 9, 3))
    np.testing.assert_array_equal(swept(taken), volume[2:9:3])


@pytest.mark.parametrize("order", ["HighByteFirst", "LowByteFirst"])
def test_an_edf_of_three_axes_and_either_byte_order(tmp_path, make_volume, order):
    volume = make_volume(SHAPE, "uint16")
    words = f"{{\nByteOrder = {order} ;\nDataType = UnsignedShort ;\nDim_1 = 13 ;\nDim_2 = 17 ;\n"
    words += f"Dim_3 = 11 ;\nSize = {volume.nbytes} ;\n"
    data = volume.astype(">u2" if order == "HighByteFirst" else "<u2").tobytes()
    (tmp_path / "a.edf").write_bytes(words.ljust(510).encode() + b"}\n" + data)
    np.testing.assert_array_equal(swept(open_volume(tmp_path / "a.edf")), volume)


def test_edf_slices_that_are_no_slices_are_refused(tmp_path, make_volume):
    for z, plane in enumerate(make_volume((4, 17, 13))):
        write_edf(tmp_path / f"a_{z}.edf", plane)
    cut = tmp_path / "a_2.edf"
    whole = cut.read_bytes()
    for content, said in ((whole[:700], "cut short"), (b"garbage" * 99, "a_2"), (b"", "a_2")):
        cut.write_bytes(content)
        with pytest.raises(SourceError, match=rf"a_2\.edf.*{said}|{said}.*a_2\.edf|a_2\.edf"):
            open_volume(tmp_path)
    packed = whole.replace(b"DataType", b"Compression = GZIP ;\nDataType", 1)
    cut.write_bytes(packed)
    with pytest.raises(SourceError, match="compressed EDF"):
        open_volume(tmp_path)


# On the command line


@pytest.mark.parametrize("kind", ["NIfTI, packed", "NRRD", "MetaImage", "HDF5, chunks"])
def test_a_file_becomes_an_image(made, kind, tmp_path, monkeypatch):
    path, volume = made(kind)
    monkeypatch.chdir(tmp_path)
    report = hc.stack_to_omezarr(path.name, "o.zarr", chunks=8)
    np.testing.assert_array_equal(hc.open("o.zarr").compute(), volume)
    assert hc.open("o.zarr").geometry.edges == hc.open(path).geometry.edges
    assert report.measured <= report.budget
    plan = hc.plan(path.name)
    assert plan.can_run
    assert [output.name for output in plan.outputs] == ["a.zarr"]
    assert hc.stats(path.name).max == volume.max()


@pytest.mark.parametrize("kind", ["NRRD, two files", "MetaImage, two files"])
def test_the_output_may_lie_beside_a_header_and_its_voxels(made, kind, tmp_path):
    path, volume = made(kind)
    hc.stack_to_omezarr(path, tmp_path / "o.zarr", chunks=8)
    np.testing.assert_array_equal(hc.open(tmp_path / "o.zarr").compute(), volume)


@pytest.mark.parametrize(
    ("suffix", "header"),
    [
        (".nrrd", "NRRD0004\ntype: uint8\ndimension: 3\nsizes: {n} {n} {n}\nencoding: {packed}\n"),
        (".mha", "NDims = 3\nDimSize = {n} {n} {n}\nElementType = MET_UCHAR\n{packed}ElementData"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("n", [5000, 1 << 40, -7, 0])
def test_sizes_that_a_header_claims_are_held_against_the_file(tmp_path, suffix, header, packed, n):
    words = {".nrrd": ("raw", "gzip"), ".mha": ("", "CompressedData = True\n")}[suffix]
    text = header.format(n=n, packed=words[packed])
    text += "\n" if suffix == ".nrrd" else "File = LOCAL\n"
    (tmp_path / f"a{suffix}").write_bytes(text.encode() + gzip.compress(b"few"))
    refused(run(tmp_path / f"a{suffix}", tmp_path / "o.zarr"), SOURCE, f"a{suffix}")
