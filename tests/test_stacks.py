"""Volumes as stacks: what is written is read back by others, and by hoaconv, bit for bit."""

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from itertools import product
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from invoking import PLAN, SLOW, SOURCE, SPELLING, STORE, refused
from PIL import Image
from typer.testing import CliRunner
from waiting_for import wait_until

import hoaconv as hc
from hoaconv.engine.spec import KNOWN
from hoaconv.errors import PlanError, SourceError, SpellingError, StoreError
from hoaconv.io import encoded, slices_sink
from hoaconv.io.mark import MARK
from hoaconv.terminal.app import app

pytestmark = pytest.mark.one_python

HELD = {
    "tiff": tuple(map(str, KNOWN)),
    "jp2": ("uint8", "int8", "uint16", "int16"),
    "png": ("uint8", "uint16"),
}
SUFFIX = {"tiff": ".tif", "jp2": ".jp2", "png": ".png"}


def run(*args):
    """The verb, in this process."""
    return CliRunner().invoke(app, ["omezarr-to-stack", *map(str, args)])


def extremes(shape, dtype, seed=0):
    """Voxels over all of the dtype's range, its ends among them."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    if dtype.kind == "f":
        values = rng.normal(size=shape).astype(dtype)
        ends = (np.nan, np.inf, -np.inf, -0.0)
    else:
        limits = np.iinfo(dtype)
        values = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
        ends = (limits.min, limits.max)
    flat = values.reshape(-1)
    flat[: len(ends)] = ends[: flat.size]
    return values


def read_slice(file):
    """A slice, as another program decodes it."""
    if file.suffix == ".tif":
        return tifffile.imread(file)
    read = imagecodecs.png_decode if file.suffix == ".png" else imagecodecs.jpeg2k_decode
    return read(file.read_bytes())


def read_others(folder, shape):
    """All slices of a folder, in the order of their names."""
    planes = [read_slice(file).reshape(shape[1:]) for file in sorted(folder.iterdir())]
    return np.stack(planes)


def same_bits(one, other):
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


CASES = [(name, dtype) for name, dtypes in HELD.items() for dtype in dtypes]
SHAPES = [(1, 1, 1), (1, 17, 5), (3, 1, 33), (4, 29, 70)]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_slices_hold_the_voxels_exactly(name, dtype, tmp_path):
    for i, shape in enumerate(SHAPES):
        volume = extremes(shape, dtype, i)
        folder = tmp_path / str(i)
        job = hc.open(volume, voxel_size=(3, 2, 2)) | hc.Stack(folder, format=name)
        report = job.run(progress=False)
        assert sorted(os.listdir(folder)) == [
            f"slice_{z:06d}{SUFFIX[name]}" for z in range(shape[0])
        ]
        assert same_bits(read_others(folder, shape), volume)
        assert report.files == shape[0]
        assert report.bytes_written == sum(file.stat().st_size for file in folder.iterdir())
        assert report[str(folder)] == folder
        again = hc.open(folder)
        assert same_bits(again.compute(), volume)
        assert again.voxel_size == ((3, 2, 2) if name == "tiff" else (2, 2, 2))


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif"])
@pytest.mark.parametrize("dtype", HELD["tiff"])
def test_a_file_holds_the_voxels_exactly(suffix, dtype, tmp_path):
    if suffix == ".ome.tif" and dtype.endswith("int64"):
        pytest.skip("OME-XML has no such dtype")
    for i, (shape, coding) in enumerate(product(SHAPES, (None, "deflate"))):
        volume = extremes(shape, dtype, i)
        file = tmp_path / f"{i}{suffix}"
        job = hc.open(volume, voxel_size=(3, 2, 1.5)) | hc.Stack(file, compression=coding)
        report = job.run(progress=False)
        assert same_bits(tifffile.imread(file).reshape(shape), volume)
        assert (report.files, report.bytes_written) == (1, file.stat().st_size)
        again = hc.open(file)
        assert same_bits(again.compute(), volume)
        assert again.voxel_size == (3, 2, 1.5)
        assert os.listdir(tmp_path).count(file.name) == 1
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


@given(
    st.sampled_from(CASES),
    st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["none", "deflate:1", "zstd", "zstd:19", "lzw"]),
    st.one_of(st.none(), st.sampled_from([16, (16, 32), "48,16"])),
    st.integers(1, 50),
    st.integers(1, 3),
)
def test_any_coding_of_any_shape(tmp_path_factory, case, shape, coding, tile, strip, workers):
    (name, dtype), folder = case, tmp_path_factory.mktemp("any") / "out"
    volume = extremes(shape, dtype, workers)
    options = {"format": name}
    if name == "tiff":
        options |= {"compression": coding, "tile": tile, "strip": None if tile else strip}
    elif name == "jp2":
        options |= {"resolutions": 1 + strip % 33, "tile": 64 if strip % 33 < 6 else None}
    (hc.open(volume) | hc.Stack(folder, **options)).run(workers=workers, progress=False)
    assert same_bits(read_others(folder, shape), volume)
    shutil.rmtree(folder)


@pytest.mark.parametrize("coding", ["none", "deflate", "lzw"])
@pytest.mark.parametrize("cut", [{}, {"tile": (16, 64)}, {"strip": 3}])
def test_tiff_is_read_by_libtiff_too(coding, cut, tmp_path):
    for dtype in ("uint8", "uint16", "int32", "float32"):
        volume = extremes((2, 37, 70), dtype)
        folder = tmp_path / dtype
        (hc.open(volume) | hc.Stack(folder, compression=coding, **cut)).run(progress=False)
        planes = [np.asarray(Image.open(file)) for file in sorted(folder.iterdir())]
        np.testing.assert_array_equal(np.stack(planes), volume)
        with tifffile.TiffFile(folder / "slice_000000.tif") as tif:
            page = tif.pages.first
            assert (page.tile if "tile" in cut else ()) == tuple(cut.get("tile", ()))
            assert cut.get("strip", page.rowsperstrip) == page.rowsperstrip


def test_the_size_of_a_voxel_is_told_to_others(tmp_path):
    volume = hc.open(extremes((3, 8, 9), "uint16"), voxel_size=(40, 20, 10), unit="nanometer")
    for stack in (
        hc.Stack(tmp_path / "tiff"),
        hc.Stack(tmp_path / "v.tif"),
        hc.Stack(tmp_path / "v.ome.tif"),
        hc.Stack(tmp_path / "png", format="png"),
        hc.Stack(tmp_path / "jp2", format="jp2"),
    ):
        (volume | stack).run(progress=False)
    for file in (tmp_path / "tiff" / "slice_000001.tif", tmp_path / "v.tif"):
        with tifffile.TiffFile(file) as tif:
            tags = tif.pages.first.tags
            assert tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
            assert tags["XResolution"].value == (1_000_000, 1)
            assert tags["YResolution"].value == (500_000, 1)
            assert tif.imagej_metadata["spacing"] == pytest.approx(40e-7)
            assert tif.imagej_metadata["unit"] == "cm"
    with tifffile.TiffFile(tmp_path / "v.ome.tif") as tif:
        pixels = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"]
        assert [pixels[f"PhysicalSize{axis}"] for axis in "ZYX"] == pytest.approx(
            [0.04, 0.02, 0.01]
        )
        assert {pixels[f"PhysicalSize{axis}Unit"] for axis in "ZYX"} == {"µm"}
        assert tif.series[0].axes == "ZYX"
    for name in ("png/slice_000000.png", "jp2/slice_000000.jp2"):
        with Image.open(tmp_path / name) as image:
            assert image.info["dpi"] == pytest.approx((1e8 * 0.0254, 5e7 * 0.0254))


@pytest.mark.parametrize("unit", ["angstrom", "micrometer", "millimeter", "kilometer"])
@pytest.mark.parametrize("edge", [0.001, 1 / 3, 19.57, 84.66667, 254.0, 1e5])
def test_the_size_of_a_voxel_comes_back(unit, edge, tmp_path):
    metres = {"angstrom": 1e-4, "micrometer": 1, "millimeter": 1e3, "kilometer": 1e9}
    volume = hc.open(extremes((2, 3, 4), "uint8"), voxel_size=edge, unit=unit)
    micrometer = edge * metres[unit]
    for stack in (hc.Stack(tmp_path / "t"), hc.Stack(tmp_path / "v.ome.tif")):
        (volume | stack).run(progress=False)
        again = hc.open(stack.path)
        rate = 1e4 / micrometer
        if stack.path.name == "t" and not 1e-6 < rate < (1 << 32) - 1:
            assert again.voxel_size is None  # no tag holds it
        else:
            assert again.voxel_size == pytest.approx((micrometer,) * 3, rel=1e-6)
            assert again.unit == "micrometer"


def test_an_unknown_size_is_not_told(tmp_path):
    volume = hc.open(extremes((2, 3, 4), "uint8"))
    for stack in (
        hc.Stack(tmp_path / "t"),
        hc.Stack(tmp_path / "v.tif"),
        hc.Stack(tmp_path / "v.ome.tif"),
    ):
        (volume | stack).run(progress=False)
        assert hc.open(stack.path).voxel_size is None


def test_formats_that_do_not_tell_z_say_so(tmp_path):
    told = []
    watcher = type("Told", (hc.Watcher,), {"note": lambda self, text: told.append(text)})()
    volume = hc.open(extremes((2, 3, 4), "uint8"), voxel_size=(3, 2, 2))
    (volume | hc.Stack(tmp_path / "jp2", format="jp2")).run(progress=watcher)
    assert any("along y and x alone, and it is 3 x 2 x 2" in text for text in told)
    told.clear()
    (volume | hc.Stack(tmp_path / "tiff")).run(progress=watcher)
    assert not any("alone" in text for text in told)


@pytest.mark.parametrize("dtype", HELD["jp2"])
def test_a_ratio_is_kept(dtype, tmp_path, make_volume):
    volume = make_volume((2, 200, 300), dtype)
    for ratio in (5, 20):
        folder = tmp_path / str(ratio)
        report = (hc.open(volume) | hc.Stack(folder, format="jp2", ratio=ratio)).run(progress=False)
        assert volume.nbytes / report.bytes_written == pytest.approx(ratio, rel=0.05)
        made = read_others(folder, volume.shape)
        assert made.dtype == volume.dtype
        error = np.abs(made.astype(float) - volume.astype(float)).mean()
        assert error < 0.1 * np.ptp(volume.astype(float))
        assert not np.array_equal(made, volume)


def test_jp2_has_as_many_resolutions_as_are_asked_for(tmp_path):
    from hoaconv.io.jp2 import read_header

    volume = hc.open(extremes((1, 512, 520), "uint8"))
    for count, ratio in product((None, 1, 3), (None, 4)):
        folder = tmp_path / f"{count}-{ratio}"
        stack = hc.Stack(folder, format="jp2", resolutions=count, ratio=ratio)
        (volume | stack).run(progress=False)
        assert read_header(folder / "slice_000000.jp2")[0].halvings == (count or 6) - 1


@pytest.mark.parametrize("dtype", HELD["jp2"])
def test_jp2_in_tiles(dtype, tmp_path):
    for i, shape in enumerate([(1, 1, 1), (1, 64, 65), (2, 150, 301)]):
        volume, folder = extremes(shape, dtype, i), tmp_path / str(i)
        stack = hc.Stack(folder, format="jp2", tile=(64, 128), resolutions=1 + 2 * i)
        (hc.open(volume, voxel_size=2) | stack).run(progress=False)
        assert same_bits(read_others(folder, shape), volume)
        again = hc.open(folder)
        assert same_bits(again.compute(), volume)
        assert again.voxel_size == (2, 2, 2)
        if dtype.startswith("u"):
            with Image.open(folder / "slice_000000.jp2") as image:
                np.testing.assert_array_equal(np.asarray(image), volume[0])


def test_jp2_in_tiles_can_be_reduced_and_keeps_a_ratio(tmp_path, make_volume):
    from hoaconv.io.codestream import read_codestream

    volume, folder = make_volume((1, 256, 384)), tmp_path / "s"
    stack = hc.Stack(folder, format="jp2", tile=128, resolutions=3)
    (hc.open(volume) | stack).run(progress=False)
    one = hc.Stack(tmp_path / "one", format="jp2", resolutions=3)
    (hc.open(volume) | one).run(progress=False)
    tiled, whole = (hc.open(path, reduce=4).compute().astype(float) for path in (folder, one.path))
    assert tiled.shape == whole.shape == (1, 64, 96)
    assert np.abs(tiled - whole).mean() < 0.02 * np.ptp(whole)  # edges of tiles differ
    file = folder / "slice_000000.jp2"
    with file.open("rb") as stream:
        start = file.read_bytes().index(b"jp2c") + 4
        header = read_codestream(file, stream, start, file.stat().st_size)
    assert (header.tiles, header.tile) == (6, (128, 128))
    lossy = hc.Stack(tmp_path / "lossy", format="jp2", tile=128, ratio=8)
    report = (hc.open(volume) | lossy).run(progress=False)
    assert volume.nbytes / report.bytes_written == pytest.approx(8, rel=0.15)  # tiles are small


def test_jp2_has_no_more_tiles_than_the_format_counts(tmp_path):
    volume = hc.open(np.broadcast_to(np.zeros((1, 1, 1), "uint8"), (1, 5000, 5000)))
    with pytest.raises(PlanError, match=r"up to 65535 tiles, not 97969; make `tile` larger"):
        (volume | hc.Stack(tmp_path / "s", format="jp2", tile=16, resolutions=1)).plan()


# The round trip


@pytest.mark.parametrize("name", ["tiff", "jp2"])
def test_stack_to_omezarr_and_back(name, tiffs, volume, tmp_path):
    hc.stack_to_omezarr(tiffs, tmp_path / "a.zarr", voxel_size=2, chunks=16, watcher=hc.Watcher())
    options = {"format": name, "pattern": "brain_%04d"}
    hc.omezarr_to_stack(tmp_path / "a.zarr", tmp_path / "s", watcher=hc.Watcher(), **options)
    assert same_bits(read_others(tmp_path / "s", volume.shape), volume)
    assert (tmp_path / "s" / f"brain_0036{SUFFIX[name]}").exists()
    hc.stack_to_omezarr(tmp_path / "s", tmp_path / "b.zarr", chunks=16, watcher=hc.Watcher())
    one, other = (hc.open(tmp_path / n) for n in ("a.zarr", "b.zarr"))
    assert same_bits(one.compute(), other.compute())
    assert one.voxel_size == other.voxel_size == (2, 2, 2)


def test_a_level_a_range_and_ops(tiffs, volume, tmp_path):
    made = tmp_path / "a.zarr"
    hc.stack_to_omezarr(tiffs, made, voxel_size=2, chunks=16, watcher=hc.Watcher())
    told = tmp_path / "r.json"
    done = run(made, tmp_path / "s", "--level", "1", "--range", "2:10:3", "--report", told, "-q")
    assert done.exit_code == 0, done.output
    level = hc.open(made).levels[1]
    assert same_bits(read_others(tmp_path / "s", (3, *level.shape[1:])), level.compute()[2:10:3])
    assert hc.open(tmp_path / "s").voxel_size == (12, 4, 4)
    report = json.loads(told.read_text())
    assert (report["output"], report["files"], report["levels"]) == (str(tmp_path / "s"), 3, [])
    assert report["options"] == {"level": 1, "range": "2:10:3"}
    done = run(made, tmp_path / "m.tif", "--ops", "threshold 30000")
    assert done.exit_code == 0
    assert "m.tif: 37x67x53 uint8" in done.stdout
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tif"), volume > 30000)


def test_a_stack_is_encoded_again(tiffs, volume, tmp_path):
    assert run(tiffs, tmp_path / "s", "--format", "jp2", "--workers", "1").exit_code == 0
    assert same_bits(read_others(tmp_path / "s", volume.shape), volume)


def test_outputs_of_one_sweep(tiffs, volume, tmp_path):
    source = hc.open(tiffs)
    out = hc.Stack(tmp_path / "s", compression="zstd")
    job = hc.store({out: source, tmp_path / "a.zarr": source.add(1), "mip": source.max("z")})
    report = job.run(progress=False)
    assert same_bits(read_others(tmp_path / "s", volume.shape), volume)
    np.testing.assert_array_equal(
        hc.open(tmp_path / "a.zarr").compute(), np.where(volume == 65535, 65535, volume + 1)
    )
    assert report[out] == tmp_path / "s"
    assert report["mip"].shape == volume.shape[1:]
    assert report.levels == ()
    assert report.others[0]["levels"]
    assert [path.name for path in hc.store({out: source}).plan().outputs] == ["s"]


def test_every_budget_gives_the_same_files(tmp_path, make_volume):
    volume = hc.open(make_volume((4, 800, 1000)))
    much, little = (hc.Stack(tmp_path / name, format="jp2") for name in ("much", "little"))
    (volume | much).run(workers=2, progress=False)
    plan = (volume | little).plan(workers=2)
    assert "encodes 3 at once, the most that helps" in plan.explain()
    tight = (volume | little).plan(plan.schedule.least + (1 << 20), workers=2)
    assert "encodes 1 at once, as the budget allows" in tight.explain()
    budget = plan.smallest_budget
    report = (volume | little).run(budget, workers=2, progress=False)
    assert report.projected <= budget
    assert slices_of(much.path) == slices_of(little.path)


def test_a_plan_says_how_many_planes_are_encoded_at_once(tiffs, tmp_path):
    job = hc.open(tiffs) | hc.Stack(tmp_path / "s", format="jp2")
    assert "encodes 5 at once" in job.plan(workers=4).explain()
    assert not (tmp_path / "s").exists()
    done = run(tiffs, tmp_path / "s", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "in at most 37 files" in done.stdout
    assert "levels" not in done.stdout
    assert not (tmp_path / "s").exists()


# What is refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ratio", "10"], "tiff has no --ratio: drop it, or choose --format jp2"),
        (["--resolutions", "3"], "tiff has no --resolutions"),
        (["--format", "jp2", "--compression", "lzw"], "jp2 has no --compression: drop it, or"),
        (["--format", "jp2", "--strip", "64"], "jp2 has no --strip"),
        (["--format", "jp2", "--tile", "48"], "powers of two that can be halved 5 times"),
        (["--format", "jp2", "--tile", "16"], "and tile is 16,16; take 1024, or fewer --resol"),
        (["--format", "png", "--tile", "64"], "png has no --tile: drop it, or choose --format ti"),
        (["--format", "png", "--strip", "64"], "png has no --strip"),
        (["--format", "png", "--ratio", "2"], "png has no --ratio"),
        (["--format", "png", "--compression", "zstd"], "compressed by deflate"),
        (["--format", "png", "--compression", "none"], "always compressed"),
        (["--format", "gif"], "format 'gif' is none of tiff, jp2, png"),
        (["--format", "jp2", "--ratio", "1"], "ratio '1' isn't a number above 1"),
        (["--format", "jp2", "--ratio", "ten"], "ratio 'ten' isn't a number"),
        (["--format", "jp2", "--resolutions", "34"], "up to 33"),
        (["--tile", "100"], "tile '100' isn't one or two multiples of 16"),
        (["--tile", "16", "--strip", "8"], "--tile or --strip, not both"),
        (["--compression", "zip"], "compression 'zip' is none of none, deflate"),
        (["--compression", "lzw:3"], "lzw has no level"),
        (["--compression", "deflate:99"], "the level isn't one of 1 to 9"),
        (["--pattern", "slice"], "pattern 'slice' has no single number"),
        (["--pattern", "a/%d"], "isn't the name of a file"),
        (["--pattern", "s2%03d"], "has a digit beside the number"),
        (["--pattern", "s_%03d.png", "--format", "jp2"], "ends in .png, and the slices are .jp2"),
        (["--level", "-1"], "level -1 is not a whole number of 0 or more"),
    ],
)
def test_options_that_do_not_go_together(options, words, tiffs, tmp_path):
    refused(run(tiffs, tmp_path / "s", *options), SPELLING, words)
    assert not (tmp_path / "s").exists()


def test_a_level_of_what_has_none(tiffs, tmp_path):
    refused(
        run(tiffs, tmp_path / "s", "--level", "1"),
        SPELLING,
        "--level chooses a level of an image",
        "--reduce",
    )
    hc.stack_to_omezarr(tiffs, tmp_path / "a.zarr", watcher=hc.Watcher(), levels=2, chunks=16)
    refused(
        run(tmp_path / "a.zarr", tmp_path / "s", "--level", "2"), SPELLING, "levels 0 to 1, not 2"
    )


@pytest.mark.parametrize("name", ["jp2", "png"])
@pytest.mark.parametrize("dtype", ["float32", "uint32", "int64"])
def test_a_dtype_that_a_format_does_not_hold(name, dtype, tmp_path):
    stack = hc.Stack(tmp_path / "s", format=name)
    with pytest.raises(PlanError, match=f"slices hold .*, and the volume is {dtype}: end its ops"):
        (hc.open(extremes((2, 3, 4), dtype)) | stack).run(progress=False)
    assert not (tmp_path / "s").exists()


def test_ome_has_no_integers_of_64_bits(tmp_path):
    with pytest.raises(PlanError, match=r"OME-TIFF holds no int64.*name the file \.tif"):
        (hc.open(extremes((2, 3, 4), "int64")) | hc.Stack(tmp_path / "a.ome.tif")).run(
            progress=False
        )


def test_names_that_are_no_stack(tiffs, tmp_path):
    refused(run(tiffs, tmp_path / "a.jp2"), STORE, "would be one slice", "--format jp2")
    refused(run(tiffs, tmp_path / "a.zarr"), STORE, "suffix of another format", "a.tif")
    refused(run(tiffs, tmp_path / "a.h5"), STORE, "suffix of another format")
    refused(run(tiffs, tmp_path / "a.tif", "--format", "png"), SPELLING, "name a folder")
    refused(run(tiffs, tmp_path / "a.tif", "--pattern", "a%d"), SPELLING, "--pattern names slices")
    refused(run(tiffs, ""), SPELLING, "a name")
    assert list(tmp_path.iterdir()) == []


# Outputs in the way


def slices_of(folder):
    return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def test_a_folder_that_exists_is_replaced_when_asked_for(tiffs, volume, tmp_path):
    folder = tmp_path / "s"
    assert run(tiffs, folder, "--pattern", "old_%d").exit_code == 0
    before = slices_of(folder)
    refused(run(tiffs, folder), STORE, folder, "--overwrite")
    assert slices_of(folder) == before
    assert run(tiffs, folder, "--overwrite", "--format", "jp2").exit_code == 0
    assert same_bits(read_others(folder, volume.shape), volume)


@pytest.mark.parametrize("name", ["thesis.txt", "sub/slice.tif", "data.h5"])
def test_nothing_but_slices_is_overwritten(name, tiffs, tmp_path):
    folder = tmp_path / "s"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("precious")
    shutil.copy(next(tiffs.iterdir()), folder / "slice_000000.tif")
    refused(run(tiffs, folder, "--overwrite"), STORE, folder, "no part of a folder of slices")
    assert (folder / name).read_text() == "precious"
    assert (folder / "slice_000000.tif").exists()


def test_a_store_is_not_overwritten_by_slices_nor_slices_by_a_store(tiffs, tmp_path):
    hc.stack_to_omezarr(tiffs, tmp_path / "store", chunks=16, watcher=hc.Watcher())
    refused(run(tiffs, tmp_path / "store", "--overwrite"), STORE, "not a folder of slices")
    assert run(tiffs, tmp_path / "s").exit_code == 0
    with pytest.raises(StoreError, match="not a zarr store"):
        hc.stack_to_omezarr(tiffs, tmp_path / "s", overwrite=True, watcher=hc.Watcher())


def test_the_source_is_never_replaced(tiffs, volume, tmp_path):
    src = tmp_path / "in"
    shutil.copytree(tiffs, src)
    for dst in (src, src / "deep", tmp_path):
        refused(run(src, dst, "--overwrite"), STORE, dst)
    assert run(src, tmp_path / "a.tif").exit_code == 0
    refused(
        run(tmp_path / "a.tif", tmp_path / "a.tif", "--overwrite"), STORE, "is the source itself"
    )
    refused(run(src, src / "a.tif"), STORE, "inside the source")
    assert same_bits(hc.open(src).compute(), volume)
    assert same_bits(hc.open(tmp_path / "a.tif").compute(), volume)


def test_a_file_that_exists(tiffs, volume, tmp_path):
    file = tmp_path / "a.tif"
    file.write_text("precious")
    refused(run(tiffs, file), STORE, file, "--overwrite")
    assert file.read_text() == "precious"
    assert run(tiffs, file, "--overwrite").exit_code == 0
    assert same_bits(tifffile.imread(file), volume)
    assert os.listdir(tmp_path) == ["a.tif"]
    (tmp_path / "d.tif").mkdir()
    assert run(tiffs, tmp_path / "d.tif").exit_code == 0  # a folder may have any name
    assert len(list((tmp_path / "d.tif").iterdir())) == 37
    refused(run(tiffs, tmp_path / "a.tif" / "b.tif"), STORE, "is a file")


# Runs that fail


def damaged(folder, tiffs):
    """A copy whose last slice turns out to be damaged when it is decoded."""
    shutil.copytree(tiffs, folder)
    for file in folder.iterdir():
        tifffile.imwrite(file, tifffile.imread(file), compression="zlib")
    last = folder / "slice_0036.tif"
    whole = bytearray(last.read_bytes())
    whole[400:440] = bytes(40)
    last.write_bytes(whole)
    return folder


def test_a_failed_run_leaves_nothing(tiffs, tmp_path):
    src = damaged(tmp_path / "in", tiffs)
    refused(run(src, tmp_path / "deep" / "s"), SOURCE, "slice_0036.tif", "removed")
    refused(run(src, tmp_path / "deep" / "a.tif"), SOURCE, "slice_0036.tif")
    assert os.listdir(tmp_path) == ["in"]


def test_a_failed_run_leaves_an_older_file_as_it_was(tiffs, tmp_path):
    src = damaged(tmp_path / "in", tiffs)
    (tmp_path / "a.tif").write_text("old")
    refused(run(src, tmp_path / "a.tif", "--overwrite"), SOURCE, "slice_0036.tif")
    assert (tmp_path / "a.tif").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["a.tif", "in"]


@pytest.mark.parametrize("dst", ["s", "a.tif"])
def test_a_full_disk(dst, tiffs, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hoaconv.io.tiff_encoder.TiffEncoder.write_page", full)
    with pytest.raises(StoreError, match="the disk is full"):
        hc.omezarr_to_stack(tiffs, tmp_path / dst, watcher=hc.Watcher())
    assert os.listdir(tmp_path) == []


def test_a_run_that_was_killed_is_replaced(tiffs, volume, tmp_path, monkeypatch):
    folder = tmp_path / "s"
    monkeypatch.setattr(slices_sink.SlicesWriter, "abort", lambda self: False)
    monkeypatch.setattr(encoded.EncodingWriter, "finish", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        hc.omezarr_to_stack(tiffs, folder, watcher=hc.Watcher())
    monkeypatch.undo()
    assert (folder / MARK).exists()
    text = json.loads((folder / MARK).read_text())
    (folder / MARK).write_text(json.dumps({**text, "pid": 2**30, "token": "0" * 32}))
    refused(run(tiffs, folder), STORE, "did not finish", "--overwrite")
    assert run(tiffs, folder, "--overwrite").exit_code == 0
    assert same_bits(read_others(folder, volume.shape), volume)


def test_a_folder_that_is_being_written_is_no_source(tiffs, tmp_path):
    assert run(tiffs, tmp_path / "s").exit_code == 0
    (tmp_path / "s" / MARK).write_text("{}")
    with pytest.raises(SourceError, match="was left by a run that did not finish"):
        hc.open(tmp_path / "s")


def test_python_refuses_in_its_own_words(tmp_path):
    with pytest.raises(SpellingError, match="tiff has no `ratio`"):
        hc.Stack(tmp_path / "s", ratio=10)
    with pytest.raises(SpellingError, match="can't be written; open it first"):
        np.zeros((2, 3, 4)) | hc.Stack(tmp_path / "s")
    with pytest.raises(SpellingError, match="the output is a int; expected the path of a folder"):
        hc.Stack(3)
    assert hc.Stack("s", tile=64) == hc.Stack("s", tile="64,64") == hc.Stack("s", tile=(64, 64))
    assert PLAN == 4


STARTED = {
    "s": lambda folder: len(list(folder.glob("s/*.jp2"))) > 2,
    "a.tif": lambda folder: any(folder.glob(".a.tif.hoaconv/part*")),
}
"""By the name of an output, whether a run has begun to write it."""


@pytest.mark.parametrize("dst", STARTED)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_midway_removes_what_was_written(dst, number, tiffs, tmp_path):
    options = ["--format", "jp2"] if dst == "s" else []
    words = [sys.executable, "-c", SLOW, "omezarr-to-stack", tiffs, tmp_path / dst, *options]
    with subprocess.Popen([*map(str, words)], stderr=subprocess.PIPE, text=True) as process:
        wait_until(partial(STARTED[dst], tmp_path))
        process.send_signal(number)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 128 + number, told
    assert told.endswith("; what was written is removed\n")
    assert os.listdir(tmp_path) == []
