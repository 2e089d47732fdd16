"""Zarr arrays as planes: zarr-python writes and reads them too, tensorstore counts what is read."""

import json
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Keep, Spans, Total, span_sums
from sized import held_and_counted, with_sizes
from sweeping import decoded_while, planes_of, swept

import hoaconv
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.estimate import estimate
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.layers import tickets
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import Pool
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import KNOWN
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io import array_volume
from hoaconv.io.array_volume import ArrayVolume
from hoaconv.io.source import open_volume
from hoaconv.io.stack import Stack
from hoaconv.ops.cropping import Crop
from hoaconv.ops.geometry import Flip

pytestmark = pytest.mark.one_python

SHAPE, CHUNKS = (37, 67, 53), (8, 32, 16)
LAYOUTS = {
    "v2": {"zarr_format": 2, "chunks": CHUNKS},
    "v2 nested": {
        "zarr_format": 2,
        "chunks": CHUNKS,
        "chunk_key_encoding": {"name": "v2", "separator": "/"},
    },
    "v3": {"chunks": CHUNKS},
    "sharded": {"chunks": CHUNKS, "shards": (16, 64, 64)},
    "one chunk": {"chunks": SHAPE},
    "planes": {"chunks": (1, 67, 53)},
    "flat": {"chunks": (1, 7, 9)},
    "raw": {"chunks": CHUNKS, "compressors": None},
}


def write(path, volume, **layout):
    array = zarr.create_array(path, shape=volume.shape, dtype=volume.dtype, **layout)
    array[...] = volume
    return path


def ome(path, scale=(3, 2, 2), unit="micrometer", axes="zyx", whole=None):
    """An OME-Zarr image, NGFF 0.5, of two levels."""
    types = {"t": "time", "c": "channel"}
    told = [
        {"name": a, "type": types.get(a, "space"), **({"unit": unit} if a in "zyx" else {})}
        for a in axes
    ]
    lead = [1] * (len(axes) - 3)
    datasets = [
        {
            "path": str(i),
            "coordinateTransformations": [
                {"type": "scale", "scale": [*lead, *(s * 2**i for s in scale)]}
            ],
        }
        for i in range(2)
    ]
    image = {"axes": told, "datasets": datasets}
    if whole:
        image["coordinateTransformations"] = [{"type": "scale", "scale": [*lead, *whole]}]
    attributes = {"ome": {"version": "0.5", "multiscales": [image]}}
    zarr.create_group(path, attributes=attributes, overwrite=True)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("workers", [1, 3])
def test_planes_are_what_was_written(tmp_path, volume, layout, workers):
    source = open_volume(write(tmp_path / "a.zarr", volume, **LAYOUTS[layout]))
    assert isinstance(source, ArrayVolume)
    assert (source.spec.shape, source.spec.dtype) == (volume.shape, volume.dtype)
    np.testing.assert_array_equal(planes_of(source), volume)
    np.testing.assert_array_equal(swept(source, workers=workers), volume)


@pytest.mark.parametrize("dtype", KNOWN, ids=str)
@pytest.mark.parametrize("order", "<>")
def test_every_dtype_in_every_byte_order(tmp_path, make_volume, dtype, order):
    volume = make_volume((5, 9, 7), dtype)
    path = tmp_path / "a.zarr"
    array = zarr.create_array(
        path,
        shape=volume.shape,
        dtype=volume.dtype.newbyteorder(order),
        chunks=(2, 2, 2),
        zarr_format=2,
    )
    array[...] = volume
    source = open_volume(path)
    assert source.spec.dtype == dtype
    assert source.spec.dtype.isnative
    np.testing.assert_array_equal(swept(source), volume)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (2, 8), (4, 3), (3, 40)])
def test_a_sweep_decodes_each_chunk_once(tmp_path, volume, layout, workers, ahead, one_by_one):
    source = open_volume(write(tmp_path / "a.zarr", volume, **LAYOUTS[layout]))
    chunks = LAYOUTS[layout]["chunks"]
    many = np.prod([-(-n // c) for n, c in zip(volume.shape, chunks, strict=True)])
    assert decoded_while(lambda: swept(source, workers=workers, ahead=ahead)) == many
    assert many == decoded_while(lambda: swept(source, workers=workers, ahead=ahead))


@settings(max_examples=30, deadline=None)
@given(
    planes=st.lists(st.integers(0, SHAPE[0] - 1), min_size=1, max_size=60),
    workers=st.integers(1, 3),
    ahead=st.integers(0, 9),
)
def test_chosen_planes_come_in_any_order(stored, volume, planes, workers, ahead):
    source = stored.choose(planes)
    np.testing.assert_array_equal(swept(source, workers=workers, ahead=ahead), volume[planes])


@pytest.fixture(scope="module")
def stored(volume, tmp_path_factory):
    """A sharded array, opened."""
    path = tmp_path_factory.mktemp("stored") / "a.zarr"
    return open_volume(write(path, volume, **LAYOUTS["sharded"]))


def test_chosen_planes_are_chosen_from_again(stored, volume):
    source = stored.choose(range(30, 3, -3)).choose([2, 0, 5])
    np.testing.assert_array_equal(planes_of(source), volume[[24, 30, 15]])


def test_a_volume_is_a_value_that_can_be_sent(stored, volume):
    source = stored.choose(range(3, 30))
    sent = pickle.loads(pickle.dumps(source))
    assert sent == source
    assert hash(sent) == hash(source)
    assert stored not in (source, stored.choose(range(3, 31)), stored.at(Geometry((2, 1, 1))))
    np.testing.assert_array_equal(swept(sent), volume[3:30])


def test_what_is_left_out_is_not_decoded(stored, volume):
    a_layer = np.prod([-(-n // c) for n, c in zip(SHAPE[1:], CHUNKS[1:], strict=True)])
    got = []
    count = decoded_while(lambda: got.append(swept(stored, Crop("10:20,:,:"), Flip("y"))))
    np.testing.assert_array_equal(got[0], volume[10:20, ::-1])
    assert count == 2 * a_layer
    backwards = decoded_while(lambda: got.append(swept(stored, Flip("z"))))
    np.testing.assert_array_equal(got[1], volume[::-1])
    assert backwards == 5 * a_layer


@settings(max_examples=25, deadline=None)
@given(
    workers=st.integers(1, 4),
    ahead=st.integers(0, 20),
    first=st.integers(0, 36),
    most=st.integers(1, 40),
)
def test_one_layer_is_held_at_a_time_however_planes_are_asked_for(
    stored, volume, workers, ahead, first, most
):
    """Of two branches, one drops planes at the beginning and never takes the last ones."""
    spans = Spans(first=first, most=most)
    root, whole, part = Plan.read(stored), Keep(), Keep()
    plan = (root | Total() | whole) & (root | spans | part)
    made = with_sizes(schedule(plan, Limits(1 << 40, workers)), 1, 16, ahead)
    held, counted = held_and_counted(made)
    np.testing.assert_array_equal(whole.volume, volume)
    np.testing.assert_array_equal(part.volume, span_sums(volume, spans))
    assert held <= counted


def test_the_layer_is_a_row_of_the_plan(stored):
    plan = Plan.read(stored) | Total()
    (sweep,) = schedule(plan, Limits(1 << 40, 2)).sweeps
    rows = [use for use in sweep.uses if use.what == "2 layers being read"]
    assert [use.who for use in rows] == ["a.zarr"]
    assert rows[0].nbytes >= 2 * CHUNKS[0] * stored.spec.plane_bytes
    assert stored.choose([3, 20, 35]).layer_bytes(2) == 0  # one plane of a layer needs no layer
    two = stored.choose([0, 7, 20])
    assert 2 * stored.spec.plane_bytes <= two.layer_bytes(2) < stored.layer_bytes(2)


def test_two_sweeps_and_two_readers_share_a_source(stored, volume):
    one, other = Keep(), Keep()
    plan = (Plan.read(stored) | one) & (Plan.read(stored.choose(range(36, -1, -1))) | other)
    made = schedule(plan, Limits(1 << 40, 2))
    run(made)
    np.testing.assert_array_equal(one.volume, volume)
    np.testing.assert_array_equal(other.volume, volume[::-1])


def test_a_trial_takes_a_plane_for_its_share_of_a_layer(stored):
    made = schedule(Plan.read(stored) | Total(), Limits(1 << 40, 2))
    assert estimate(made).work["a.zarr"] > 0
    assert stored.thickness == CHUNKS[0]


@pytest.mark.parametrize("layout", ["v2", "v2 nested", "v3", "sharded"])
def test_bytes_on_disk_are_those_of_the_chunks(tmp_path, volume, layout):
    path = write(tmp_path / "a.zarr", volume, **LAYOUTS[layout])
    files = [f for f in path.rglob("*") if f.is_file() and f.name[-1].isdigit()]
    source = open_volume(path)
    assert source.stored_bytes == sum(f.stat().st_size for f in files)
    assert source.choose(range(8)).stored_bytes == source.stored_bytes // 5


# Where arrays are, and what is told of them


def test_of_an_image_level_0_is_taken_or_the_one_that_is_named(tmp_path, volume):
    path = ome(tmp_path / "brain.zarr", whole=(1, 1, 10))
    write(path / "0", volume, chunks=(16,) * 3)
    write(path / "1", volume[::2, ::2, ::2], chunks=(16,) * 3)
    whole, half = open_volume(path), open_volume(path / "1")
    assert (str(whole), str(half)) == ("brain.zarr/0", "brain.zarr/1")
    assert (whole.spec.planes, half.spec.planes) == (37, 19)
    assert whole.geometry.edges == (3, 2, 20)
    assert (half.geometry.edges, half.geometry.unit) == ((6, 4, 40), "micrometer")


def test_what_hoaconv_writes_it_reads(tiffs, volume, tmp_path):
    for ngff in ("0.5", "0.4"):
        path = tmp_path / f"{ngff}.zarr"
        hoaconv.stack_to_omezarr(tiffs, path, chunks=16, ngff=ngff, voxel_size="5,2,2")
        source = open_volume(path)
        np.testing.assert_array_equal(swept(source), volume)
        assert str(source.geometry) == "5 x 2 x 2 micrometer (OME-Zarr metadata)"


@pytest.mark.parametrize(
    ("unit", "scale", "size"),
    [
        ("millimeter", (3, 2, 2), "3 x 2 x 2 millimeter"),
        ("µm", (3, 2, 2), "3 x 2 x 2 micrometer"),
        (None, (3, 2, 2), None),
        ("second", (3, 2, 2), None),
        ("micrometer", (3, 0, 2), None),
        ("micrometer", ("a", 2, 2), None),
    ],
)
def test_a_voxel_size_needs_a_scale_and_a_unit(tmp_path, volume, unit, scale, size):
    path = ome(tmp_path / "a.zarr", scale=(1, 1, 1), unit=unit)
    told = json.loads((path / "zarr.json").read_text())
    steps = told["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    steps[0]["scale"] = list(scale)
    (path / "zarr.json").write_text(json.dumps(told))
    write(path / "0", volume, chunks=(16,) * 3)
    found = open_volume(path).geometry
    assert (str(found) if found.unit else None) == (size and f"{size} (OME-Zarr metadata)")


def test_axes_before_z_may_be_1_long(tmp_path, volume):
    path = ome(tmp_path / "a.zarr", axes="tczyx")
    write(path / "0", volume[None, None], chunks=(1, 1, *CHUNKS))
    source = open_volume(path)
    np.testing.assert_array_equal(swept(source), volume)
    assert source.geometry.edges == (3, 2, 2)


@pytest.mark.parametrize(
    ("shape", "names", "words"),
    [
        ((2, 4, 5, 6), ("c", "z", "y", "x"), "c 2, z 4, y 5, x 6: 2 channels; take one"),
        ((4, 5, 6), ("c", "y", "x"), "c 4, y 5, x 6: 4 channels; take one, as in `channel=0`"),
        ((4, 5, 6), ("y", "x", None), "y 4, x 5, unnamed 6.*which is which"),
        ((4, 5, 6), ("y", "t", "x"), "3 times|5 times"),
        ((6,), ("x",), "x 6"),
        ((2, 4, 5, 6), None, "unnamed 2, unnamed 4"),
        ((1, 1, 1, 4, 5, 6), None, "before them only z, c and t"),
        ((3, 4, 5, 6), ("a", "z", "y", "x"), "a 3, z 4"),
        ((0, 5, 6), None, "no voxel"),
    ],
)
def test_other_axes_are_refused_by_name(tmp_path, shape, names, words):
    path = tmp_path / "a.zarr"
    zarr.create_array(
        path, shape=shape, dtype="u1", chunks=(1,) * len(shape), dimension_names=names
    )
    with pytest.raises(SourceError, match=words):
        open_volume(path)


def test_other_dtypes_are_refused(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(2, 2, 2), dtype="complex64", chunks=(2, 2, 2))
    with pytest.raises(SourceError, match=r"a.zarr holds complex64 voxels; hoaconv takes uint8"):
        open_volume(tmp_path / "a.zarr")


def test_float16_is_read_as_float32(tmp_path, make_volume):
    volume = make_volume((3, 5, 4), "float32").astype("float16")
    source = open_volume(write(tmp_path / "a.zarr", volume, chunks=(2, 2, 2)))
    np.testing.assert_array_equal(swept(source), volume.astype("float32"))
    assert source.notes == ("a.zarr holds float16; it is read as float32",)


@pytest.mark.parametrize("names", [True, False], ids=["by name", "by option"])
@pytest.mark.parametrize("order", ["xyz", "yzx", "zxy", "xzy", "ctxyz", "xcyzt"])
def test_axes_in_any_order_are_one_volume_and_each_chunk_is_decoded_once(
    tmp_path, volume, order, names
):
    axes = "zyx" if len(order) == 3 else "tczyx"
    whole = volume.reshape((1,) * (len(order) - 3) + volume.shape)
    stored = whole.transpose([axes.index(a) for a in order])
    chunks = [{"z": 8, "y": 32, "x": 16}.get(a, 1) for a in order]
    path = tmp_path / "a.zarr"
    array = zarr.create_array(
        path,
        shape=stored.shape,
        dtype=stored.dtype,
        chunks=chunks,
        dimension_names=list(order) if names else None,
    )
    array[...] = stored
    source = open_volume(path, source_axes=None if names else order)
    assert source.depth == 8
    made, spans = [], Spans(length=5)
    count = decoded_while(lambda: made.append(swept(source, spans)))
    np.testing.assert_array_equal(made[0], span_sums(volume, spans))
    assert count == np.prod([-(-n // c) for n, c in zip(stored.shape, chunks, strict=True)])


def test_a_channel_and_a_time_are_taken_by_their_index(tmp_path, make_volume):
    stored = make_volume((6 * 6, 9, 7), "uint16").reshape(2, 3, 6, 9, 7)
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=stored.shape, dtype="uint16", chunks=(1, 1, 2, 4, 4))
    array[...] = stored
    for t, c in np.ndindex(2, 3):
        np.testing.assert_array_equal(swept(open_volume(path, channel=c, time=t)), stored[t, c])
    with pytest.raises(SpellingError, match=r"no channel 3: it has 3, 0 to 2"):
        open_volume(path, channel=3, time=0)
    with pytest.raises(SpellingError, match=r"no channel 2: it has 2"):
        open_volume(path, source_axes="ctzyx", channel=2, time=0)


def test_a_plane_alone_is_a_volume_of_one(tmp_path, make_volume):
    plane = make_volume((1, 9, 7), "uint8")
    write(tmp_path / "a.zarr", plane[0], chunks=(4, 4))
    source = open_volume(tmp_path / "a.zarr")
    np.testing.assert_array_equal(swept(source), plane)


@pytest.mark.parametrize("text", ["xy", "xyq", "zzx", "tcz", "xyzt"])
def test_axes_that_cannot_be_are_refused(tmp_path, volume, text):
    write(tmp_path / "a.zarr", volume, chunks=CHUNKS)
    with pytest.raises(SpellingError, match="source_axes"):
        open_volume(tmp_path / "a.zarr", source_axes=text)


def test_voxel_sizes_follow_the_axes(tmp_path, volume):
    path = ome(tmp_path / "a.zarr", scale=(1, 2, 3), axes="xyz")
    write(path / "0", volume.T, chunks=CHUNKS[::-1])
    source = open_volume(path)
    assert source.spec.shape == volume.shape
    assert source.geometry.edges == (3, 2, 1)
    assert open_volume(path, source_axes="zyx").geometry.edges == (1, 2, 3)


def test_what_is_no_array_is_refused_with_what_there_is(tmp_path, tiffs, volume):
    path = ome(tmp_path / "a.zarr")
    with pytest.raises(SourceError, match=r"a\.zarr lacks the array 0 that its metadata names"):
        open_volume(path)
    write(path / "0", volume, chunks=(16,) * 3)
    with pytest.raises(SourceError, match=r"7 holds no array; .*a\.zarr holds 0: name one"):
        open_volume(path / "7")
    group = tmp_path / "group.zarr"
    zarr.create_group(group)
    write(group / "raw", volume, chunks=(16,) * 3)
    with pytest.raises(SourceError, match=r"no OME-Zarr image; .* holds raw"):
        open_volume(group)
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(SourceError, match=r"empty\.zarr holds no array"):
        open_volume(tmp_path / "empty.zarr")
    with pytest.raises(SourceError, match="does not exist"):
        open_volume(tmp_path / "nowhere")
    assert isinstance(open_volume(tiffs), Stack)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"node_type": "array"}', '{"zarr_format": 3, "node_type": "array"}']
)
def test_damaged_metadata_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "zarr.json").write_text(text)
    with pytest.raises(SourceError, match=r"a\.zarr"):
        open_volume(tmp_path / "a.zarr")


def test_several_fields_and_unknown_codecs_are_refused(tmp_path):
    zarr.create_array(
        tmp_path / "a.zarr",
        shape=(2,) * 3,
        dtype=[("a", "u1"), ("b", "u2")],
        chunks=(2,) * 3,
        zarr_format=2,
    )
    with pytest.raises(SourceError, match="several fields"):
        open_volume(tmp_path / "a.zarr")
    path = write(tmp_path / "b.zarr", np.zeros((2, 2, 2), np.uint8), chunks=(2, 2, 2))
    told = json.loads((path / "zarr.json").read_text())
    told["codecs"].append({"name": "squeeze", "configuration": {}})
    (path / "zarr.json").write_text(json.dumps(told))
    with pytest.raises(SourceError, match=r"b\.zarr can't be opened: .*squeeze") as found:
        open_volume(path)
    assert "source locations" not in str(found.value)


# Chunks that are missing or damaged


@pytest.mark.parametrize("layout", ["v2", "v3", "sharded"])
def test_a_missing_chunk_is_the_fill_value(tmp_path, volume, layout):
    path = tmp_path / "a.zarr"
    array = zarr.create_array(
        path, shape=volume.shape, dtype=volume.dtype, fill_value=7, **LAYOUTS[layout]
    )
    array[:16] = volume[:16]
    got = swept(open_volume(path))
    np.testing.assert_array_equal(got, array[:])
    assert (got[16:] == 7).all()


def chunk_files(path):
    return sorted(f for f in path.rglob("*") if f.is_file() and f.name[-1].isdigit())


@pytest.mark.parametrize("layout", ["v2", "v3", "sharded", "raw", "planes"])
@pytest.mark.parametrize("keep", [0, 0.5, 0.98])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_chunk_that_is_cut_short_is_an_error_and_no_zeros(
    tmp_path, volume, layout, keep, workers
):
    path = write(tmp_path / "a.zarr", volume, **LAYOUTS[layout])
    file = chunk_files(path)[-1]
    file.write_bytes(file.read_bytes()[: int(keep * file.stat().st_size)])
    source = open_volume(path)
    with pytest.raises(SourceError, match=r"a\.zarr, voxels [\d:, ]+, can't be read"):
        swept(source, workers=workers)
    with pytest.raises(SourceError, match="copy it again"):
        planes_of(source)


@dataclass
class Failing:
    """An array whose every read fails after some."""

    array: object
    left: int

    def read(self, box):
        self.left -= 1
        if self.left < 0:
            raise SourceError("bad")
        return self.array.read(box)

    def __getattr__(self, name):
        return getattr(self.array, name)


@pytest.fixture
def one_by_one(monkeypatch):
    """Each chunk is read by a call of its own: many threads take part in a layer."""
    monkeypatch.setattr(array_volume, "PIECE_BYTES", 1)


@pytest.mark.parametrize("left", range(0, 60, 9))
def test_an_error_anywhere_ends_the_sweep_whoever_waits(stored, left, one_by_one):
    source = ArrayVolume(Failing(stored.array, left))
    with pytest.raises(SourceError, match="bad"):
        swept(source, workers=3, ahead=20)


def test_tickets_that_are_dropped_hold_nobody_up(stored, volume):
    buffers = Buffers()
    with Pool(2) as pool:
        how = tickets(stored, buffers, pool)
        for _ in range(12):
            next(how)
        out = np.zeros_like(volume[12])
        next(how)(out)
    np.testing.assert_array_equal(out, volume[12])
    assert buffers.held == CHUNKS[0] * stored.spec.plane_bytes
