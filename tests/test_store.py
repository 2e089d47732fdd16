"""What a conversion stores: each object once, metadata that others find valid, a true report."""

import json

import numpy as np
import ome_zarr_models
import pydantic_zarr.v2
import pytest
import tensorstore as ts
from ome_zarr_models.v04.image import Image as Image04
from reading import ome_of, opened

import hoaconv
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.stack import Stack
from hoaconv.io.zarr import ArrayWriter
from hoaconv.pyramid import metadata
from hoaconv.pyramid import root as root_module

pytestmark = pytest.mark.oldest

# ome-zarr-models 1.3 leaves a name unresolved that pydantic 2.12 and later want resolved.
Image04.model_rebuild(_types_namespace=vars(pydantic_zarr.v2))

FILE_METRICS = "/tensorstore/kvstore/file/"


# Once


def file_metrics():
    """Calls of TensorStore's file driver so far, by name."""
    counts = {}
    for metric in ts.experimental_collect_matching_metrics(FILE_METRICS):
        values = metric.get("values") or [{}]
        counts[metric["name"].removeprefix(FILE_METRICS)] = values[0].get("value", 0)
    return counts


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ngff": "0.4", "chunks": 32},
        {"shards": "none", "chunks": 16},
        {"chunks": "1,16,16", "shards": "4,32,32"},
        {"chunks": "25,16,16", "shards": "none", "factors": "3"},
        {"chunks": 8, "shards": 16, "ops": "gaussian 1.5"},
    ],
    ids=str,
)
def test_each_slice_is_decoded_once_and_each_object_written_once(
    jp2s, volume, tmp_path, monkeypatch, options
):
    decoded, read = [], Stack.read

    def counted(self, z, out):
        decoded.append(z)
        read(self, z, out)

    monkeypatch.setattr(Stack, "read", counted)
    before = file_metrics()
    hoaconv.stack_to_omezarr(jp2s, tmp_path / "o.zarr", **options)
    after = file_metrics()
    calls = {name: after[name] - before.get(name, 0) for name in after}
    metadata = {"zarr.json", ".zarray", ".zattrs", ".zgroup"}
    files = [f for f in (tmp_path / "o.zarr").rglob("*") if f.is_file()]
    objects = [f for f in files if f.name not in metadata]
    assert sorted(decoded) == list(range(len(volume)))
    assert len(objects) > 1
    assert calls["write"] == len(objects)
    assert calls["bytes_written"] == sum(f.stat().st_size for f in objects)
    assert calls.get("bytes_read", 0) == 0
    assert calls.get("delete", 0) == 0


def test_metadata_comes_last_and_the_images_own_at_the_very_end(tiffs, tmp_path, monkeypatch):
    written, write_layer, write_json = [], ArrayWriter.write_layer, metadata.write_json

    def layer(self, z, planes, y=0, x=0):
        written.append("layer")
        write_layer(self, z, planes, y, x)

    def array(self):
        written.append("array")

    def root(path, value):
        written.append(path.name)
        return write_json(path, value)

    monkeypatch.setattr(ArrayWriter, "write_layer", layer)
    monkeypatch.setattr(ArrayWriter, "write_metadata", array)
    for module in (metadata, root_module):
        monkeypatch.setattr(module, "write_json", root)
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", chunks=32)
    layers = written.count("layer")
    arrays = len(written) - layers - 2
    # The image's metadata comes once more, with the report in it.
    assert written == ["layer"] * layers + ["array"] * arrays + ["zarr.json"] * 2


# Metadata


@pytest.mark.parametrize(("ngff", "version"), [("0.4", "v04"), ("0.5", "v05")])
@pytest.mark.parametrize("options", [{}, {"voxel_size": (3, 1, 2), "unit": "nm"}], ids=str)
def test_ome_zarr_models_finds_the_metadata_valid(tiffs, tmp_path, ngff, version, options):
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", ngff=ngff, chunks=16, **options)
    image = ome_zarr_models.open_ome_zarr(opened(tmp_path / "o.zarr"))
    assert type(image).__module__ == f"ome_zarr_models.{version}.image"


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
@pytest.mark.parametrize("method", ["mean", "nearest"])
def test_scales_translations_units_axes_and_names(tiffs, tmp_path, ngff, method):
    out = tmp_path / "o.zarr"
    options = {"voxel_size": "4,1.2,1", "unit": "um", "levels": 4, "downsample": method}
    hoaconv.stack_to_omezarr(tiffs, out, ngff=ngff, name="brain", **options)
    (multiscale,) = ome_of(out)["multiscales"]
    axis = {"type": "space", "unit": "micrometer"}
    assert multiscale["axes"] == [{"name": name, **axis} for name in "zyx"]
    assert multiscale["name"] == "brain"
    factors = [(1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 8, 8)]  # z waits until it is near-isotropic
    for dataset, factor in zip(multiscale["datasets"], factors, strict=True):
        scale, translation = dataset["coordinateTransformations"]
        edges = np.array([4, 1.2, 1])
        np.testing.assert_allclose(scale["scale"], edges * factor, rtol=1e-12)
        shift = edges * (np.array(factor) - 1) / 2 * (method != "nearest")
        np.testing.assert_allclose(translation["translation"], shift, rtol=1e-12)
        assert (scale["type"], translation["type"]) == ("scale", "translation")
    array = opened(out)["0"]
    names = array.metadata.dimension_names if ngff == "0.5" else array.attrs["_ARRAY_DIMENSIONS"]
    assert list(names) == ["z", "y", "x"]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_the_window_is_numpys_percentiles(make_volume, make_tiffs, tmp_path, dtype, ngff):
    volume = make_volume((7, 60, 50), dtype, seed=3)
    src = make_tiffs(tmp_path / "in", volume)
    hoaconv.stack_to_omezarr(src, tmp_path / "o.zarr", ngff=ngff, workers=3)
    (channel,) = ome_of(tmp_path / "o.zarr")["omero"]["channels"]
    start, end = np.percentile(volume, [0.1, 99.9], method="inverted_cdf")
    limits = np.iinfo(dtype)
    expected = {"min": limits.min, "max": limits.max, "start": start, "end": end}
    assert channel["window"] == expected


def test_the_window_is_that_of_what_the_ops_give(tiffs, volume, tmp_path):
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", ops="clip 20000 30000")
    (channel,) = ome_of(tmp_path / "o.zarr")["omero"]["channels"]
    clipped = np.clip(volume, 20000, 30000)
    expected = np.percentile(clipped, [0.1, 99.9], method="inverted_cdf")
    assert [channel["window"]["start"], channel["window"]["end"]] == expected.tolist()


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_provenance_says_how_it_was_made(tiffs, tmp_path, ngff):
    hoaconv.stack_to_omezarr(
        tiffs, tmp_path / "o.zarr", ngff=ngff, ops="gaussian 1.0", chunks=(8, 16, 16)
    )
    told = dict(opened(tmp_path / "o.zarr").attrs)["hoaconv"]
    assert told["version"] == hoaconv.__version__
    assert told["source"] == tiffs.name  # no folder of this machine
    assert told["ops"] == "gaussian 1"
    assert told["options"]["chunks"] == [8, 16, 16]


@pytest.mark.parametrize(
    ("text", "codec"),
    [("none", None), ("zstd:5", "zstd"), ("gzip", "gzip"), ("lz4", "blosc"), ("zstd:-1", "zstd")],
)
@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_compressors_are_those_asked_for(tiffs, volume, tmp_path, ngff, text, codec):
    options = {"ngff": ngff, "compressor": text, "levels": 1}
    if (ngff, codec) == ("0.4", "zstd"):  # not every reader of zarr v2 has it
        with pytest.raises(SpellingError, match="blosc-zstd"):
            hoaconv.plan(tiffs, tmp_path / "o.zarr", **options)
        return
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", **options)
    array = opened(tmp_path / "o.zarr")["0"]
    np.testing.assert_array_equal(array[:], volume)
    names = [type(c).__name__.lower() for c in array.compressors]
    checksum = ["crc32ccodec"] if ngff == "0.5" else []
    assert names[len(names) - len(checksum) :] == checksum
    packed = names[: len(names) - len(checksum)]
    assert [codec in name for name in packed] == ([True] if codec else [])


# Report, plan, watcher


def test_the_report_tells_what_is_on_the_disk(tiffs, volume, tmp_path):
    made = hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", report=tmp_path / "r.json")
    files = [f for f in (tmp_path / "o.zarr").rglob("*") if f.is_file()]
    assert (made.files, made.bytes_written) == (len(files), sum(f.stat().st_size for f in files))
    assert (made.shape, made.dtype) == (volume.shape, "uint16")
    assert made.bytes_raw == volume.nbytes
    assert made.bytes_read == volume.nbytes  # uncompressed TIFF: its pixels are its bytes
    assert made.measured <= made.projected <= made.budget
    saved = json.loads((tmp_path / "r.json").read_text())
    assert saved["files"] == made.files
    assert saved["levels"] == json.loads(json.dumps(made.levels))


def test_a_plan_writes_nothing_and_starts_nothing(tiffs, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(Stack, "read", lambda self, z, out: read.append(z))
    made = hoaconv.plan(
        tiffs, tmp_path / "o.zarr", ops="gaussian 1.5", report=tmp_path / "r.json", workers=1
    )
    assert made.projected > 0
    assert len(read) == 3  # for the estimate of time
    assert list(tmp_path.iterdir()) == []


def test_a_watcher_is_told_of_every_slice_in_order(tiffs, volume, tmp_path):
    class Seen(hoaconv.Watcher):
        slices, notes = [], []

        def progress(self, progress):
            self.slices.append(progress.planes)

        def note(self, text):
            self.notes.append(text)

    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", voxel_size=2, watcher=Seen())
    assert Seen.slices == list(range(1, len(volume) + 1))
    assert "voxel size 2 micrometer, as given" in Seen.notes


def test_the_store_tells_what_was_measured_and_how_many_files_there_are(tiffs, volume, tmp_path):
    label = {"m": "threshold 9"}
    report = hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", ops="stats", label=label)
    told = dict(opened(tmp_path / "o.zarr").attrs)["hoaconv"]
    assert told["report"]["folds"]["stats"]["max"] == volume.max()
    assert told["report"]["measured"] == report.measured
    assert told["options"]["label"] == {"m": "threshold 9"}
    for row in told["levels"]:
        files = [f for f in (tmp_path / "o.zarr" / row["path"] / "c").rglob("*") if f.is_file()]
        assert row["files"] == len(files)
        assert row["empty"] == 0


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_chunks_of_zeros_are_counted(make_tiffs, tmp_path, ngff):
    volume = np.zeros((20, 40, 40), np.uint16)
    volume[3, 3, 3] = 7
    src = make_tiffs(tmp_path / "in", volume)
    shards = {} if ngff == "0.4" else {"shards": "none"}
    hoaconv.stack_to_omezarr(src, tmp_path / "o.zarr", ngff=ngff, chunks=10, levels=1, **shards)
    (row,) = dict(opened(tmp_path / "o.zarr").attrs)["hoaconv"]["levels"]
    assert (row["files"], row["empty"]) == (1, 31)


def test_a_flipped_byte_is_an_error(tiffs, tmp_path):
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", levels=1, compressor="none")
    (shard,) = (f for f in (tmp_path / "o.zarr" / "0" / "c").rglob("*") if f.is_file())
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 4
    shard.write_bytes(data)
    with pytest.raises(Exception, match=r"(?i)checksum|crc"):
        opened(tmp_path / "o.zarr")["0"][:]
    with pytest.raises(SourceError, match="damaged"):
        hoaconv.stats(tmp_path / "o.zarr")


def test_an_image_is_named_after_the_output_or_its_own_metadata(tiffs, tmp_path):
    first, label = tmp_path / "mouse.ome.zarr", {"m": "threshold 9"}
    hoaconv.stack_to_omezarr(tiffs, first, levels=1, label=label)
    again = hoaconv.stack_to_omezarr(first, tmp_path / "o.zarr", levels=1)
    for store in ("mouse.ome.zarr", "o.zarr"):
        (image,) = dict(opened(tmp_path / store).attrs)["ome"]["multiscales"]
        assert image["name"] == "mouse"
    assert not any("labels of the source" in note for note in again.notes)
    assert ome_of(tmp_path / "o.zarr" / "labels")["labels"] == ["m"]
