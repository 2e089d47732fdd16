"""``hoaconv stats``: what it tells is true of the volume, whatever the volume is stored in."""

import json
import math
import re
import sys

import numpy as np
import pytest
import tifffile
import zarr
from in_memory import InMemory
from invoking import PLAN, SOURCE, SPELLING, STORE, refused
from typer.testing import CliRunner

import hoaconv
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import DTYPES
from hoaconv.errors import BudgetError, SourceError, SpellingError, StoreError
from hoaconv.job.statistics import SUMMARY
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.thresholds import METHODS
from hoaconv.terminal.app import app

WORDS = ["p0.5", "p1", "p5", "p25", "p50", "p75", "p95", "p99", "p99.5"]
MEASURED = ("stats", "shares", "percentiles", "thresholds", "histogram", "profile")


def stats(*args):
    """The verb, in this process."""
    return CliRunner().invoke(app, ["stats", *map(str, args)])


def numbers(made):
    return {name: getattr(made, name) for name in MEASURED}


@pytest.fixture(scope="module")
def array(volume, tmp_path_factory):
    """The voxels of `tiffs`, as a plain zarr array."""
    path = tmp_path_factory.mktemp("arrays") / "volume.zarr"
    zarr.create_array(path, data=volume, chunks=(16, 16, 16))
    return path


# The whole volume


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_numbers_are_numpys_of_the_whole_volume(make_volume, make_tiffs, tmp_path, dtype):
    volume = make_volume((9, 31, 23), dtype)
    volume[0, :5] = 0
    made = hoaconv.stats(make_tiffs(tmp_path / "in", volume), workers=2)
    exact = volume.astype(object) if dtype.kind in "iu" else volume.astype(np.float64)
    ends = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else (-np.inf, np.inf)
    full = (volume == ends[1]) | ((volume == ends[0]) & (ends[0] != 0))
    assert made.stats["n"] == volume.size
    assert (made.stats["min"], made.stats["max"]) == (volume.min(), volume.max())
    assert made.stats["sum"] == (exact.sum() if dtype.kind in "iu" else math.fsum(exact.ravel()))
    assert made.stats["mean"] == pytest.approx(float(exact.sum() / volume.size), rel=1e-14)
    assert made.stats["std"] == pytest.approx(volume.astype(np.float64).std(), rel=1e-12)
    assert made.stats["zeros"] == np.count_nonzero(volume == 0)
    assert made.stats["saturated"] == np.count_nonzero(full)
    assert made.shares["zeros"] == np.count_nonzero(volume == 0) / volume.size
    assert made.profile == pytest.approx(volume.mean((1, 2), dtype=np.float64), rel=1e-12)
    assert (made.shape, made.dtype, made.exact) == (volume.shape, str(dtype), is_exact(dtype))
    assert made.is_whole


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_percentiles_and_bins_are_numpys_as_nearly_as_is_told(
    make_volume, make_tiffs, tmp_path, dtype
):
    volume = make_volume((9, 31, 23), dtype)
    made = hoaconv.stats(make_tiffs(tmp_path / "in", volume), workers=2)
    assert list(made.percentiles) == WORDS
    qs = [float(word[1:]) for word in made.percentiles]
    expected = np.percentile(volume, qs, method="inverted_cdf").astype(float)
    allowed = 0 if made.exact else 1 / 128
    np.testing.assert_allclose(list(made.percentiles.values()), expected, rtol=allowed)
    counts, edges = np.histogram(volume.astype(np.float64), 256)
    np.testing.assert_allclose(made.histogram["edges"], edges, rtol=1e-12)
    assert sum(made.histogram["counts"]) == volume.size
    if made.exact:
        assert made.histogram["counts"] == counts.tolist()
        values, each = (found.astype(float) for found in np.unique(volume, return_counts=True))
        for word, threshold in made.thresholds.items():
            index = METHODS[word](values, each)
            if word == "li":  # the threshold itself, between two values that occur
                assert values[index] <= threshold < values[index + 1]
            else:
                assert threshold == values[index]


def test_ops_come_first(tiffs, volume):
    made = hoaconv.stats(tiffs, ops="crop 3:20,:,: | subtract 5000 | threshold otsu", workers=2)
    (found,) = made.found.values()
    mask = volume[3:20].astype(int) - 5000 > found["otsu"]
    assert made.stats["sum"] == mask.sum()
    assert (made.shape, made.dtype) == (mask.shape, "uint8")
    assert made.profile == [float(plane.mean()) for plane in mask]
    assert made.ops.endswith(" | subtract 5000 | threshold otsu")


def test_a_volume_of_nothing_but_nan_has_no_numbers(make_tiffs, tmp_path):
    src = make_tiffs(tmp_path / "in", np.full((3, 4, 5), np.nan, np.float32))
    made = hoaconv.stats(src, plot=tmp_path / "empty.png")
    assert (made.stats["n"], made.stats["nan"], made.shares["nan"]) == (60, 60, 1.0)
    assert made.stats["mean"] is made.percentiles["p50"] is made.thresholds["otsu"] is None
    assert made.histogram == {"edges": [], "counts": []}
    assert made.profile == [None] * 3
    assert (tmp_path / "empty.png").read_bytes().startswith(b"\x89PNG")
    assert "-" in stats(src).stdout.split("mean")[1].split("\n")[0]


def test_infinities_are_json(make_tiffs, tmp_path):
    volume = np.ones((3, 4, 5), np.float32)
    volume[1, 2, 3], volume[2, 2, 2] = np.inf, np.nan
    told = json.loads(
        stats(make_tiffs(tmp_path / "in", volume), "--json").stdout, parse_constant=pytest.fail
    )
    assert told["stats"]["max"] == "Infinity"
    assert (told["stats"]["saturated"], told["stats"]["nan"], told["stats"]["mean"]) == (1, 1, 1)


# Where it is stored


@pytest.mark.parametrize("words", [{}, {"range": "5:30:2"}, {"sample": 9}, {"ops": "gaussian 1"}])
def test_an_array_tells_what_the_slices_tell(tiffs, array, words):
    stack, stored = (hoaconv.stats(src, **words, workers=2) for src in (tiffs, array))
    assert numbers(stored) == numbers(stack)
    assert stored.intervals == stack.intervals
    assert stored.measured <= stored.projected


def test_levels_of_an_image_and_multi_page_tiffs(tiffs, volume, tmp_path):
    image = tmp_path / "i.zarr"
    hoaconv.stack_to_omezarr(tiffs, image, voxel_size="4,2,2", chunks=16, workers=2)
    tifffile.imwrite(tmp_path / "v.tif", volume, photometric="minisblack")
    whole, level = hoaconv.stats(image), hoaconv.stats(image / "1")
    assert numbers(hoaconv.stats(tmp_path / "v.tif")) == numbers(whole)
    assert (whole.voxel_size, whole.unit) == ((4, 2, 2), "micrometer")
    half = zarr.open_group(image, mode="r")["1"][:]
    assert (level.shape, level.stats["sum"]) == (half.shape, half.sum())
    assert level.voxel_size == (4, 4, 4)


# A sample


def test_a_sample_tells_the_drawn_slices_and_where_the_truth_lies(tiffs, volume):
    whole, made = hoaconv.stats(tiffs, workers=2), hoaconv.stats(tiffs, sample=30, workers=2)
    assert (made.slices, made.slices_measured, made.profile) == (37, 30, None)
    assert made.stats["n"] == 30 * 67 * 53
    assert made.bytes_raw < whole.bytes_raw == volume.nbytes
    truth = {**whole.stats, **whole.percentiles, **whole.thresholds}
    assert {"mean", "std", "p50", "otsu", "zeros share"} <= set(made.intervals)
    assert not {"n", "min", "max", "sum", "zeros"} & set(made.intervals)
    for name in ("mean", "std", "p50"):
        low, high = made.intervals[name]
        assert low <= truth[name] <= high
        assert low < high


def test_a_sample_of_all_slices_is_the_whole(tiffs):
    made = hoaconv.stats(tiffs, sample=37, ops="crop 0:20,:,:", workers=2)
    whole = hoaconv.stats(tiffs, ops="crop 0:20,:,:", workers=2)
    assert numbers(made) == numbers(whole)
    assert (made.intervals, made.is_whole) == ({}, True)


@pytest.mark.long
def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Of slices that differ much more than the voxels in each: voxels don't count as drawn."""
    rng, held, rounds = np.random.default_rng(3), {"mean": 0, "p50": 0, "zeros share": 0}, 60
    for seed in range(rounds):
        levels = rng.normal(100, 20, (60, 1, 1))
        volume = (levels + rng.normal(0, 8, (60, 6, 7))).clip(0, 255).astype(np.uint8)
        volume[rng.random((60, 6, 7)) < rng.random((60, 1, 1)) / 3] = 0
        truth = {
            "mean": volume.mean(),
            "p50": np.percentile(volume, 50, method="inverted_cdf"),
            "zeros share": np.mean(volume == 0),
        }
        limits = Limits(1 << 40, 1, sample=20, seed=seed)
        made = schedule(Plan.read(InMemory(volume)) | SUMMARY, limits)
        (intervals,) = run(made).intervals.values()
        for name, value in truth.items():
            held[name] += intervals[name][0] <= value <= intervals[name][1]
    assert all(0.85 * rounds <= count for count in held.values()), held
    assert min(held.values()) < rounds, held  # or they were too wide to tell anything


# The command line


def test_the_terminal_gets_a_table(tiffs, volume):
    result = stats(tiffs, "--ops", "cast float32", "--sample", "9")
    assert result.exit_code == 0
    rows = {line.split("  ")[0]: line for line in result.stdout.splitlines()}
    assert "37x67x53" in rows["shape zyx"]
    assert "9 of 37, drawn at random" in rows["slices"]
    assert " to " in rows["mean"]
    assert " to " not in rows["max"]
    assert {"dtype", "n", "std", "p99.5", "otsu", "saturated"} <= set(rows)
    assert "float32 is counted in bins" in result.stdout
    assert "interval, about 95 %" in result.stdout
    assert "no interval covers them" in result.stdout.replace("\n", " ")
    assert "interval" not in stats(tiffs).stdout
    assert "bins" not in stats(tiffs).stdout


def parted(line):
    return line.partition("  ")


@pytest.mark.parametrize("contrast", [1, 1000, 65535])
def test_numbers_of_a_sample_are_told_to_the_third_digit_of_the_width(
    make_tiffs, tmp_path, contrast
):
    """And their intervals stay within uint16, however few the slices; in JSON too."""
    volume = np.zeros((30, 5, 7), np.uint16)
    volume[np.random.default_rng(1).random(30) < 0.5] = contrast
    src = make_tiffs(tmp_path / "in", volume)
    told = json.loads(stats(src, "--sample", "6", "--json").stdout)
    lines = stats(src, "--sample", "6").stdout.splitlines()
    rows = {name: re.findall(r"-?[\d.]+", rest) for name, _, rest in map(parted, lines)}
    assert set(told["intervals"]) >= {"mean", "std", "p50", "otsu", "zeros share"}
    for name, (low, high) in told["intervals"].items():
        if name.endswith(" share"):
            assert 0 <= low <= told["shares"][name.removesuffix(" share")] <= high <= 1
            continue
        value = {**told["stats"], **told["percentiles"], **told["thresholds"]}[name]
        assert 0 <= low <= value <= high <= 65535
        digit = 10 ** (math.floor(math.log10(high - low)) - 2) if low < high else 1e-5
        for number, text in zip((value, low, high), rows[name], strict=True):
            assert float(text) == pytest.approx(number, abs=0.51 * digit)
            assert float(text) / digit == pytest.approx(round(float(text) / digit), abs=1e-6)


def test_json_is_all_there_is(tiffs, volume):
    result = stats(tiffs, "--json")
    told = json.loads(result.stdout)
    assert result.stderr == ""
    assert told["stats"]["sum"] == volume.sum()
    assert told["percentiles"]["p50"] == np.percentile(volume, 50, method="inverted_cdf")
    assert len(told["profile"]) == 37
    assert len(told["histogram"]["counts"]) == 256


def test_nothing_is_written_and_quiet_says_nothing_on_the_way(
    make_tiffs, volume, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    make_tiffs(tmp_path / "in", volume[:4])
    before = sorted(tmp_path.rglob("*"))
    assert stats("in", "--quiet").stderr == ""
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--sample", "1"], SPELLING, ["sample 1", "draw 2 or more"]),
        (["--sample", "x"], SPELLING, ["--sample", "integer"]),
        (["--smaple", "3"], SPELLING, ["--sample"]),
        (["--ops", "gausian 1"], SPELLING, ["did you mean 'gaussian'?"]),
        (["--ops", "gaussian 1 | stats"], SPELLING, ["'stats' measures", "drop it"]),
        (["--ops", "clip 70000 80000"], PLAN, ["clip", "uint16"]),
        (["--ops", "bin 2", "--sample", "5"], PLAN, ["bin 2", "--sample"]),
        (["--range", "90:"], SPELLING, ["90:", "37 slices"]),
        (["--budget", "1MB"], PLAN, ["1.00 MB", "summary", "--budget "]),
        (["--workers", "0"], SPELLING, ["workers", "0"]),
        (["--plot", "h.jpg"], SPELLING, ["h.jpg", "hist.png"]),
        (["--plot", "/nowhere/at/h.png"], STORE, ["/nowhere/at"]),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else str(value),
)
def test_what_is_not_understood_is_refused(tiffs, array, words, code, said):
    refused(stats(tiffs, *words), code, *said)
    if "37 slices" in said:
        refused(stats(array, *words), code, *said)


def test_sources_that_are_none(tmp_path, array):
    refused(stats(tmp_path / "no.zarr"), SOURCE, "no.zarr does not exist")
    refused(stats(array / "9"), SOURCE, "9 holds no array")
    refused(stats(), SPELLING, "SRC")
    refused(stats(""), SPELLING, "the source needs a name")
    with pytest.raises(SourceError, match="empty"):
        hoaconv.stats(tmp_path)
    with pytest.raises(BudgetError):
        hoaconv.stats(array, budget="1MB")


# The plot


def test_a_plot_is_a_png(tiffs, tmp_path):
    (tmp_path / "h.PNG").write_bytes(b"old")
    assert stats(tiffs, "--plot", tmp_path / "h.PNG", "-q").exit_code == 0
    assert (tmp_path / "h.PNG").read_bytes().startswith(b"\x89PNG")


def test_the_bars_are_the_histogram(tiffs, tmp_path, monkeypatch):
    drawn = []
    from matplotlib.axes import Axes

    monkeypatch.setattr(Axes, "stairs", lambda self, *args, **_: drawn.append(args))
    made = hoaconv.stats(tiffs, plot=tmp_path / "h.png")
    assert drawn == [(made.histogram["counts"], made.histogram["edges"])]


def test_without_matplotlib_it_is_refused_before_the_source_is_opened(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SpellingError, match=r'pip install "hoaconv\[plot\]"'):
        hoaconv.stats(tmp_path / "nowhere", plot=tmp_path / "h.png")


def test_a_plot_that_is_in_the_way(tiffs, tmp_path):
    (tmp_path / "h.png").mkdir()
    with pytest.raises(StoreError, match="it is a folder"):
        hoaconv.stats(tiffs, plot=tmp_path / "h.png")
