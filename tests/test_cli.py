"""Options and sources: what works, and what bad ones get: one message, an exit code, no store."""

import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import zarr
from invoking import PLAN, SOURCE, SPELLING, STORE, looks_complete, refused, run
from typer.testing import CliRunner

import hoaconv
from hoaconv.errors import SourceError
from hoaconv.io.stack import Stack
from hoaconv.job import compiling, progress
from hoaconv.terminal.app import app

pytestmark = pytest.mark.oldest

# It works


def test_a_run_says_what_it_made(tiffs, out):
    result = run(tiffs, out, "--voxel-size", "2")
    assert result.exit_code == 0
    assert "37x67x53" in result.stdout
    assert "projected" in result.stdout
    assert "voxel size 2 micrometer, as given" in result.stderr
    assert looks_complete(out)


def test_quiet_says_nothing(tiffs, out):
    result = run(tiffs, out, "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_a_dry_run_shows_the_schedule_and_writes_nothing(tiffs, out):
    result = run(tiffs, out, "--dry-run", "--ops", "gaussian 1.5")
    assert result.exit_code == 0
    assert "together" not in result.stdout
    assert "gaussian 1.5" in run(tiffs, out, "--dry-run", "-v", "--ops", "gaussian 1.5").stdout
    assert "projected" in result.stdout
    assert not out.exists()


def test_verbose_shows_the_schedule_and_runs(tiffs, out):
    result = run(tiffs, out, "-v")
    assert "who" in result.stdout
    assert looks_complete(out)


def test_a_log_gets_a_line_a_minute(tiffs, out, monkeypatch):
    now = iter(range(0, 100_000, 7))
    monkeypatch.setattr(progress, "monotonic", lambda: next(now))
    result = run(tiffs, out)
    lines = [line for line in result.stderr.splitlines() if " slices, " in line]
    assert 0 < len(lines) <= 37 * 14 // 60 + 1
    assert all("MB/s" in line and "left" in line and "memory" in line for line in lines)


def test_the_report_is_json(tiffs, out, tmp_path):
    assert run(tiffs, out, "--report", tmp_path / "r.json").exit_code == 0
    assert json.loads((tmp_path / "r.json").read_text())["output"] == str(out)


@pytest.mark.parametrize(
    "name", ["a name with spaces", "ünïcodé 日本", "[1]", "-x", "%d", "[red]b", "[/b]"]
)
def test_any_name_will_do(make_tiffs, volume, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make_tiffs(tmp_path / name, volume[:3])
    result = run("--", name, f"{name}.zarr")
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(zarr.open_group(f"{name}.zarr", mode="r")["0"][:], volume[:3])
    assert name in result.stdout


@pytest.mark.parametrize("suffix", [".TIF", ".TIFF", ".tiff"])
def test_suffixes_in_any_case_and_other_files_with_a_note(volume, tmp_path, out, suffix):
    for z in range(3):
        tifffile.imwrite(tmp_path / f"s{z}{suffix}", volume[z])
    (tmp_path / "log.txt").write_text("hello")
    result = run(tmp_path, tmp_path.parent / f"{suffix}.zarr")
    assert result.exit_code == 0
    assert "log.txt" in result.stderr


# Options


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--budgte", "4GiB"], ["--budgte", "--budget"]),
        (["--budget", "lots"], ["'lots'", "8GiB"]),
        (["--budget", "0"], ["'0'"]),
        (["--workers", "0"], ["workers"]),
        (["--workers", "two"], ["--workers"]),
        (["--chunks", "0"], ["chunks '0'"]),
        (["--chunks", "64,64"], ["chunks '64,64'", "z,y,x"]),
        (["--chunks", "1.5"], ["whole"]),
        (["--shards", "100"], ["shards", "multiples"]),
        (["--shards", "non"], ["shards 'non'"]),
        (["--ngff", "0.6"], ["'0.6'", "0.5, 0.4"]),
        (["--ngff", "0.4", "--shards", "64"], ["0.4 has no shards"]),
        (["--levels", "0"], ["levels 0"]),
        (["--levels", "99"], ["99 levels are too many"]),
        (["--downsample", "men"], ["did you mean 'mean'?"]),
        (["--factors", "1"], ["factors", "2 or 1,2,2"]),
        (["--factors", "0"], ["factors '0'"]),
        (["--factors", "1000"], ["factors", "1000"]),
        (["--factors", "40"], ["factors", "40"]),
        (["--factors", "1e99"], ["factors"]),
        (["--voxel-size", "-1"], ["voxel size '-1'"]),
        (["--voxel-size", "nan"], ["voxel size 'nan'"]),
        (["--voxel-size", "1,2"], ["voxel size '1,2'"]),
        (["--unit", "um"], ["--voxel-size"]),
        (["--voxel-size", "1", "--unit", "micrmeter"], ["did you mean 'micrometer'?"]),
        (["--compressor", "zst"], ["'zst'", "zstd:3"]),
        (["--compressor", "zstd:99"], ["99"]),
        (["--range", "5"], ["'5'", "100:200:2"]),
        (["--range", "a:b"], ["'a:b'"]),
        (["--range", "::-1"], ["'::-1'"]),
        (["--range", "::0"], ["'::0'"]),
        (["--range", "100:200"], ["100:200", "37 slices"]),
        (["--ops", "gausian 1.5"], ["'gausian'", "did you mean 'gaussian'?"]),
        (["--ops", "gaussian"], ["sigma", "gaussian SIGMA"]),
        (["--ops", "gaussian x"], ["sigma", "'x'"]),
        (["--ops", "gaussian -1"], ["sigma", "-1"]),
        (["--ops", "gaussian 1 |"], ["|"]),
        (["--ops", "gaussian 1 mod=nearest"], ["did you mean 'mode'?"]),
        (["--ops", "cast uint24"], ["uint24", "uint16"]),
        (["--ops", "clip 5 1"], ["clip", "5..1"]),
    ],
    ids=" ".join,
)
def test_an_option_that_is_not_understood(tiffs, out, words, said):
    refused(run(tiffs, out, *words), SPELLING, *said)
    assert not out.exists()


def test_a_command_or_argument_that_is_not_there():
    refused(run("only-src"), SPELLING, "DST")
    refused(run("a", "b", "c"), SPELLING, "c")
    refused(CliRunner().invoke(app, ["stack-to-omezar"]), SPELLING, "stack-to-omezarr")


def test_an_op_that_cant_take_the_dtype(tiffs, out):
    refused(run(tiffs, out, "--ops", "clip 70000 80000"), PLAN, "clip", "uint16")


def test_a_budget_that_is_too_small_names_one_that_fits(tiffs, out):
    text = refused(run(tiffs, out, "--budget", "1MB"), PLAN, "1.00 MB", "level 0, ")
    fits = text.split("--budget ")[1].split("MB")[0]
    # A few more, by which this process may grow in between.
    assert run(tiffs, out, "--budget", f"{fits}MB").exit_code == 0


# Source


def test_a_source_that_is_missing_points_at_the_next_best(tiffs, out):
    refused(run(tiffs.with_name("tifs"), out), SOURCE, "tifs does not exist", "tiffs")


@pytest.mark.parametrize("option", [[], ["--overwrite"]])
def test_a_name_that_is_too_long(tiffs, tmp_path, out, option):
    refused(run(tmp_path / ("x" * 300), out, *option), SOURCE, "xxx", "too long")
    refused(run(tiffs, tmp_path / ("x" * 300), *option), STORE, "xxx", "too long")


def test_a_folder_without_slices(tmp_path, out):
    refused(run(tmp_path, tmp_path.parent / "o.zarr"), SOURCE, tmp_path, "empty")
    (tmp_path / "notes.txt").write_text("")
    refused(run(tmp_path, tmp_path.parent / "o.zarr"), SOURCE, "notes.txt")
    refused(run(f"{tmp_path}/*.jp2", out), SOURCE, "*.jp2")


def test_two_kinds_of_image_in_one_folder(make_tiffs, make_jp2s, volume, tmp_path, out):
    make_tiffs(tmp_path / "in", volume[:2])
    make_jp2s(tmp_path / "in", volume[:2])
    refused(run(tmp_path / "in", out), SOURCE, "2 JPEG 2000 and 2 TIFF")


def test_gaps_are_listed_or_allowed(make_tiffs, volume, tmp_path, out):
    src = make_tiffs(tmp_path / "in", volume[:9])
    for z in (3, 4, 7):
        (src / f"slice_{z:04d}.tif").unlink()
    refused(run(src, out), SOURCE, "3 slices are missing: 3 to 4, 7", "--allow-gaps")
    assert run(src, out, "--allow-gaps").exit_code == 0
    assert zarr.open_group(out, mode="r")["0"].shape[0] == 6


def no_bytes(file):
    file.write_bytes(b"")


def cut_short(file):
    file.write_bytes(file.read_bytes()[:-500])


def garbage(file):
    file.write_bytes(np.random.default_rng(1).bytes(5000))


def a_tail_of_zeros(file):
    """What a copy leaves that reserved its space and then was stopped."""
    kept = file.stat().st_size // 2
    file.write_bytes(file.read_bytes()[:kept] + bytes(kept))


def gone(file):
    file.unlink()
    file.symlink_to("/nowhere/at/all")


TIFF_DAMAGE = [no_bytes, cut_short, garbage, gone]


@pytest.mark.parametrize("damage", TIFF_DAMAGE)
def test_a_damaged_tiff_in_the_middle(make_tiffs, volume, tmp_path, out, damage):
    src = make_tiffs(tmp_path / "in", volume)
    damage(src / "slice_0020.tif")
    refused(run(src, out), SOURCE, src / "slice_0020.tif")
    assert not out.exists()


@pytest.mark.parametrize("damage", [*TIFF_DAMAGE, a_tail_of_zeros])
def test_a_damaged_jp2_in_the_middle(make_jp2s, volume, tmp_path, out, damage):
    src = make_jp2s(tmp_path / "in", volume)
    damage(src / "slice_0020.jp2")
    refused(run(src, out), SOURCE, src / "slice_0020.jp2")
    assert not out.exists()


@pytest.mark.parametrize("compression", ["lzw", "deflate", "packbits", "zstd"])
def test_damage_that_only_decoding_shows(make_tiffs, tmp_path, out, compression):
    flat = np.arange(12 * 60 * 50, dtype="uint16").reshape(12, 60, 50) // 100
    src = make_tiffs(tmp_path / "in", flat, compression=compression)
    file = src / "slice_0007.tif"
    with tifffile.TiffFile(file) as tif:
        start = tif.pages[0].dataoffsets[0]
    data = bytearray(file.read_bytes())
    data[start : start + 40] = b"\xff" * 40
    file.write_bytes(data)
    refused(run(src, out, "--ops", "gaussian 1"), SOURCE, file)
    assert not out.exists()


@pytest.mark.parametrize("odd", [np.zeros((68, 53), "uint16"), np.zeros((67, 53), "uint8")])
def test_a_slice_of_another_shape_or_dtype(make_tiffs, volume, tmp_path, out, odd):
    src = make_tiffs(tmp_path / "in", volume)
    tifffile.imwrite(src / "slice_0020.tif", odd)
    found = f"{odd.shape[0]} x {odd.shape[1]} {odd.dtype}"
    refused(run(src, out), SOURCE, "slice_0020.tif", found, "67 x 53 uint16")


def test_rgb(tmp_path, out):
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((9, 9, 3), "uint8"), photometric="rgb")
    refused(run(tmp_path / "rgb.tif", out), SOURCE, "rgb.tif", "3 channels")


def test_a_slice_that_vanishes_midway(make_tiffs, volume, tmp_path, out, monkeypatch):
    src, read = make_tiffs(tmp_path / "in", volume), Stack.read

    def vanishing(self, z, plane):
        if z == 20:
            self.file_of(z).unlink()
        read(self, z, plane)

    monkeypatch.setattr(Stack, "read", vanishing)
    refused(run(src, out, "--chunks", "8"), SOURCE, "slice_0020.tif", "gone")
    assert not out.exists()


# What stands for the source


def test_a_pattern_that_the_shell_replaced_is_recognised(tiffs, out):
    result = run(*sorted(tiffs.iterdir()), out)
    text = refused(result, SPELLING, "quote the pattern", "name the folder")
    assert text.count(".tif") < 3


@pytest.mark.parametrize("verb", ["stack-to-omezarr", "stats", "plan"])
@pytest.mark.parametrize("address", ["http:/host/x", "s3:/bucket/x"])
def test_an_address_that_has_lost_a_slash_is_refused(out, verb, address):
    words = [verb, address] + ([] if verb == "stats" else [str(out)])
    refused(CliRunner().invoke(app, words), SPELLING, address, "one slash where an address has two")


def test_a_stray_image_is_refused_and_taken_if_asked(tiffs, out, tmp_path):
    shutil.copytree(tiffs, tmp_path / "s")
    shutil.copy(tiffs / "slice_0003.tif", tmp_path / "s" / "slice_0003 (copy).tif")
    refused(run(tmp_path / "s", out, "-q"), SOURCE, "1 of 38 files", "(copy).tif", "--allow-names")
    result = run(tmp_path / "s", out, "--allow-names")
    assert result.exit_code == 0
    assert "slice_0003 (copy).tif" in " ".join(result.stderr.split())


def test_a_voxel_size_with_its_unit(tiffs, out):
    result = run(tiffs, out, "--voxel-size", "0.02mm")
    assert "voxel size 0.02 millimeter, as given" in result.stderr
    other = out.with_name("p.zarr")
    refused(run(tiffs, other, "--voxel-size", "20um", "--unit", "mm"), SPELLING, "unit of its own")
    refused(run(tiffs, other, "--voxel-size", "20,20"), SPELLING, "one positive number, or three")
    refused(run(tiffs, other, "--voxel-size", "20 lightyears"), SPELLING, "not a length")


@pytest.mark.parametrize("word", ["true", "False"])
def test_a_value_behind_a_flag_is_answered_with_what_to_write(tiffs, out, word):
    refused(run(tiffs, out, "--overwrite", word), SPELLING, "write it alone")


@pytest.mark.parametrize("words", [["--overwrite=yes"], ["--quiet=1"], ["-q", "1"]])
def test_a_flag_takes_no_value_however_it_is_written(tiffs, out, words):
    refused(run(tiffs, out, *words), SPELLING, "takes no value")
    assert not out.exists()


def test_help_shows_no_value_of_flags_and_no_code_that_nothing_gives():
    for words in (["-h"], ["stack-to-omezarr", "-h"], ["stats", "-h"], ["plan", "-h"]):
        assert "<bool>" not in CliRunner().invoke(app, words).stdout
    told = " ".join(CliRunner().invoke(app, ["-h"]).stdout.split())
    assert " 6 " not in told
    assert " 75 " not in told


def test_a_plan_needs_no_name_of_an_output(tiffs, out):
    before = sorted(tiffs.parent.iterdir())
    for words in ([str(tiffs)], [f"{tiffs}/*.tif"], [str(tiffs), str(out)]):
        told = CliRunner().invoke(app, ["plan", *words])
        assert told.exit_code == 0, told.output
        assert "projected" in told.stdout
        assert "together" not in told.stdout
        assert "together" in CliRunner().invoke(app, ["plan", "-v", *words]).stdout
    assert hoaconv.plan(tiffs).outputs[-1] == tiffs.with_name("tiffs.zarr")
    assert sorted(tiffs.parent.iterdir()) == before


def test_a_plan_of_what_has_been_converted_is_no_error(make_tiffs, volume, tmp_path):
    src = make_tiffs(tmp_path / "19.57um_in", volume[:3])
    assert run(src, tmp_path / "19.57um_in.zarr").exit_code == 0
    assert hoaconv.plan(src).outputs[-1] == tmp_path / "19.57um_in-2.zarr"
    assert hoaconv.plan(tmp_path / "19.57um_in.zarr" / "0").can_run


def test_a_backslash_in_the_current_folder_is_seen(tiffs, tmp_path, monkeypatch):
    (tmp_path / "a\\b").mkdir()
    monkeypatch.chdir(tmp_path / "a\\b")
    refused(run(tiffs, "o.zarr"), STORE, "backslash")


def test_voxels_themselves_are_called_what_they_are():
    with pytest.raises(SourceError, match="the source is a ndarray"):
        hoaconv.stats(np.zeros((3, 4, 5)))


def test_the_public_names_are_found_by_tab():
    assert dir(hoaconv) == sorted(hoaconv.__all__)


def test_bytes_that_were_decoded_are_not_called_what_is_written(tiffs, out):
    told = run(tiffs, out, "--ops", "threshold li").stdout
    assert "decoded to" not in told
    assert "of uint8 in" in told


def test_a_quiet_measurement_is_still_told(tiffs):
    told = CliRunner().invoke(app, ["stats", "-q", str(tiffs)])
    assert told.stderr == ""
    assert "mean" in told.stdout


def test_a_sample_says_what_it_tells_of(tiffs):
    told = CliRunner().invoke(app, ["stats", "--sample", "12", str(tiffs)]).stdout
    assert "Estimated from 12 of 37 slices. Least, greatest and count describe the" in told


def test_kernels_that_nobody_keeps_are_not_promised_to_the_next_run(monkeypatch):
    told = []
    watcher = SimpleNamespace(note=told.append)
    compiling._tell_if_compiling(watcher, -1)
    monkeypatch.setattr(compiling, "TEMPORARY", "/tmp/x")
    compiling._tell_if_compiling(watcher, -1)
    assert ["finds them on disk" in text for text in told] == [True, False]


def test_choices_of_a_parameter_are_folded_between_words(monkeypatch):
    told = CliRunner().invoke(app, ["ops", "gaussian"]).stdout
    assert "reflect | nearest | mirror | constant" in told


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_tells_what_decodes_and_writes(option):
    told = CliRunner().invoke(app, [option]).stdout
    for name in ("hoaconv", "Python", "numba", "tensorstore", "imagecodecs", "OpenJPEG"):
        assert re.search(rf"{name} +\d|{name} +3", told), told


def test_help_has_a_short_name():
    assert CliRunner().invoke(app, ["-h"]).stdout == CliRunner().invoke(app, ["--help"]).stdout


def test_what_was_measured_is_in_the_summary(tiffs, out, volume):
    told = run(tiffs, out, "--ops", "stats | projection max").stdout
    assert f"max {volume.max()}" in told
    assert "written to" in told
    assert "o-projection-max.tif" in told


def test_rows_of_tables_are_whole_without_a_terminal(tiffs, out):
    told = run(tiffs, out, "--levels", "1").stdout
    assert re.search(r"^0 +37x67x53 .* \d", told, re.M), told


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_a_log_on_a_full_disk_does_not_end_the_run(tiffs, out):
    words = f"'{sys.executable}' -m hoaconv stack-to-omezarr '{tiffs}' '{out}' 2>/dev/full"
    assert subprocess.run(words, shell=True, check=False).returncode == 0
    assert looks_complete(out)


def test_a_terminal_without_a_sign_for_micro_is_no_obstacle(tiffs, out):
    words = [sys.executable, "-m", "hoaconv", "stack-to-omezarr", tiffs, out, "--voxel-size", "2um"]
    told = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(words, env=told, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("word", ["histogram", "view"])
def test_a_command_that_people_look_for_is_answered_with_what_does_its_job(word):
    refused(CliRunner().invoke(app, [word, "x.zarr"]), SPELLING, f"no command '{word}' yet; use")


def test_a_command_with_a_typo_gets_the_one_that_was_meant():
    refused(CliRunner().invoke(app, ["statz", "x"]), SPELLING, "did you mean 'stats'")


@pytest.mark.long
def test_a_second_demo_offers_to_replace_the_first(tmp_path):
    def demo(*words):
        return CliRunner().invoke(app, ["demo", str(tmp_path / "d"), *words])

    assert demo("-q").exit_code == 0
    refused(demo(), STORE, "--overwrite")
    assert demo("-q", "--overwrite").exit_code == 0


def test_stats_says_nothing_of_labels_that_are_not_copied(tiffs, out):
    assert run(tiffs, out, "--label", "m=threshold 9").exit_code == 0
    told = CliRunner().invoke(app, ["stats", str(out)])
    assert told.exit_code == 0
    assert "labels" not in told.stderr


def test_a_quiet_plan_is_its_table_alone(tiffs, out):
    loud = CliRunner().invoke(app, ["plan", str(tiffs), str(out)])
    quiet = CliRunner().invoke(app, ["plan", str(tiffs), str(out), "-q"])
    assert "voxel size unknown" in loud.stderr
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    assert "projected" in quiet.stdout
