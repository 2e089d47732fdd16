"""Outputs that are in the way, full disks, signals: nothing is lost, nothing looks complete."""

import ctypes
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from invoking import SLOW, SOURCE, SPELLING, STORE, looks_complete, refused, run
from marking import unreadable
from waiting_for import wait_until

from hoaconv.io import folder, mark
from hoaconv.io.mark import MARK
from hoaconv.io.zarr import ArrayWriter

# Output


def test_an_output_that_is_in_the_way(tiffs, tmp_path):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("precious")
    for option in ([], ["--overwrite"]):
        refused(run(tiffs, tmp_path / "file", *option), STORE, tmp_path / "file", "is a file")
        refused(run(tiffs, tmp_path / "file" / "o.zarr", *option), STORE, tmp_path / "file")
        refused(run(tiffs, tmp_path / "folder", *option), STORE, tmp_path / "folder")
    assert (tmp_path / "file").read_text() == "precious"
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "precious"


def test_an_output_that_exists_is_replaced_when_asked_for(tiffs, out):
    assert run(tiffs, out, "--ngff", "0.4").exit_code == 0
    before = sorted(out.rglob("*"))
    refused(run(tiffs, out), STORE, out, "--overwrite")
    assert sorted(out.rglob("*")) == before
    assert run(tiffs, out, "--overwrite").exit_code == 0
    assert not list(out.rglob(".z*"))


def test_an_output_inside_the_source_or_around_it(make_tiffs, volume, tmp_path, monkeypatch):
    src = make_tiffs(tmp_path / "in", volume[:3])
    monkeypatch.chdir(tmp_path)
    for dst in (src, src / "o.zarr", "in/deep/o.zarr", ".", "..", "in/../in/o.zarr"):
        for option in ([], ["--overwrite"]):
            refused(run(src, dst, *option), STORE, dst)
    (tmp_path / "link").symlink_to(src)
    refused(run("link", "in/o.zarr"), STORE, "in/o.zarr")
    refused(run("in", "link/o.zarr"), STORE, "link/o.zarr")
    assert len(list(src.iterdir())) == 3


@pytest.mark.parametrize("pattern", ["in/*.tif", "i?/*.tif", "**/*.tif"])
def test_an_output_never_replaces_the_slices_that_a_pattern_names(
    make_tiffs, volume, tmp_path, monkeypatch, pattern
):
    src = make_tiffs(tmp_path / "in", volume[:3])
    (src / "zarr.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    refused(run(pattern, "in", "--overwrite"), STORE, "in")
    assert len(list(src.glob("*.tif"))) == 3


def test_a_report_that_cant_be_written_is_refused_before_the_run(tiffs, tmp_path, out):
    refused(run(tiffs, out, "--report", tmp_path / "nowhere" / "r.json"), STORE, "nowhere")
    refused(run(tiffs, out, "--report", tmp_path), STORE, tmp_path)
    assert not out.exists()


def test_an_output_name_that_is_no_utf8(tiffs, tmp_path):
    dst = os.fsdecode(os.fsencode(tmp_path / "o") + b"\xff.zarr")
    result = run(tiffs, dst)
    assert result.exit_code in (0, SPELLING, STORE), result.exception
    assert os.path.exists(dst) == (result.exit_code == 0)


def test_a_disk_that_is_full_from_the_start_leaves_no_folder(tiffs, out, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mark.json, "dumps", full)
    refused(run(tiffs, out), STORE, out, "space")
    assert not out.exists()


def test_a_store_half_erased_can_still_be_overwritten(tiffs, out, monkeypatch):
    assert run(tiffs, out).exit_code == 0

    def stopped(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(folder.shutil, "rmtree", stopped)
    refused(run(tiffs, out, "--overwrite"), STORE, out)
    assert not looks_complete(out)
    monkeypatch.undo()
    assert run(tiffs, out, "--overwrite").exit_code == 0
    assert looks_complete(out)


def test_a_name_with_a_failed_run_before_it_is_free_again(make_tiffs, volume, tmp_path, out):
    src = make_tiffs(tmp_path / "in", volume, compression="lzw")
    file = src / "slice_0020.tif"
    whole = file.read_bytes()
    file.write_bytes(whole[:200] + b"\xff" * 200 + whole[400:])
    refused(run(src, tmp_path / "deep" / "er" / "o.zarr"), SOURCE, file)
    assert not (tmp_path / "deep").exists()


def test_a_failed_run_leaves_no_thread_and_no_open_file(make_tiffs, volume, tmp_path, out):
    src = make_tiffs(tmp_path / "in", volume, compression="lzw")
    (src / "slice_0020.tif").write_bytes((src / "slice_0020.tif").read_bytes()[:-9] + b"\xff" * 9)
    refused(run(src, out), SOURCE, "slice_0020.tif")  # whatever is opened once for all is open now
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        refused(run(src, out), SOURCE, "slice_0020.tif")
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before


# Processes


def start(*args, slow=True, **options):
    words = ["-c", SLOW] if slow else ["-m", "hoaconv"]
    return subprocess.Popen(
        [sys.executable, *words, "stack-to-omezarr", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def started(out):
    """Whether a run has written a chunk and is still at it."""
    return (out / MARK).exists() and any(f.is_file() for f in out.glob("0/c/*/*/*"))


@pytest.fixture
def slow(tiffs, out):
    """A run that takes seconds, midway: slices are decoded slowly, one layer is written."""
    process = start(tiffs, out, "--workers", "1", "--chunks", "4,32,32", "--shards", "none")
    wait_until(partial(started, out))
    yield process
    process.kill()
    process.communicate()


SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


@SIGNALS
def test_a_signal_while_the_program_loads_gives_no_traceback(number):
    command = [sys.executable, "-X", "importtime", "-m", "hoaconv", "ops"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as loading:
        told = [next(line for line in loading.stderr if b"numpy" in line)]
        loading.send_signal(number)
        told += loading.stderr
        assert loading.stdout.read() == b""
    assert loading.returncode == 128 + number
    words = {2: b"interrupted", 15: b"terminated", 1: b"the terminal was closed"}[number]
    assert told[-1] == b"hoaconv: " + words + b"\n"
    assert not any(b"Traceback" in line for line in told)


@SIGNALS
def test_a_signal_midway_removes_what_was_written(slow, out, number):
    slow.send_signal(number)
    stdout, stderr = slow.communicate(timeout=20)
    assert slow.returncode == 128 + number
    assert stderr.endswith("; what was written is removed\n")
    assert "Traceback" not in stderr
    assert stdout == ""
    assert not out.exists()


def test_a_terminal_that_closes_does_not_end_what_nohup_started(tiffs, out):
    ignoring = partial(signal.signal, signal.SIGHUP, signal.SIG_IGN)
    process = start(tiffs, out, "--workers", "1", "--chunks", "4,32,32", preexec_fn=ignoring)
    wait_until((out / MARK).exists)
    process.send_signal(signal.SIGHUP)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 0, stderr
    assert looks_complete(out)


def test_signals_at_once_count_as_one(slow, out):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        slow.send_signal(number)
    _, stderr = slow.communicate(timeout=20)
    assert slow.returncode in (130, 143)
    assert "removed" in stderr
    assert not out.exists()


STUCK = """
import sys, time
from hoaconv.io.stack import Stack
from hoaconv.terminal import app as cli
read = Stack.read
def stuck(self, z, out):
    if z == 9:
        print("stuck", file=sys.stderr, flush=True)
        time.sleep(1000)
    read(self, z, out)
Stack.read = stuck
sys.argv[0] = "hoaconv"
cli.main()
"""


@pytest.mark.long
@SIGNALS
def test_a_slice_that_never_comes_does_not_keep_the_run_from_ending(tiffs, out, number):
    words = [sys.executable, "-c", STUCK, "stack-to-omezarr", str(tiffs), str(out)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        told = [next(line for line in process.stderr if "stuck" in line)]
        process.send_signal(number)
        told += process.stderr
        assert process.wait(timeout=30) == 128 + number
    assert not out.exists(), told


STUCK_HEADER = """
import sys, time
from hoaconv.terminal import app as cli
from hoaconv.engine import pool
from hoaconv.io.tiff_alike import AlikeTiffs
pool.PATIENCE = 0.5
read = AlikeTiffs.read
def stuck(self, file):
    if "9" in file.name:
        print("stuck", file=sys.stderr, flush=True)
        time.sleep(1000)
    return read(self, file)
AlikeTiffs.read = stuck
sys.argv[0] = "hoaconv"
cli.main()
"""


@SIGNALS
def test_a_header_that_never_comes_does_not_keep_the_run_from_ending(tiffs, out, number):
    words = [sys.executable, "-c", STUCK_HEADER, "stack-to-omezarr", str(tiffs), str(out)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        told = [next(line for line in process.stderr if "stuck" in line)]
        process.send_signal(number)
        told += process.stderr
        assert process.wait(timeout=30) == 128 + number
    assert "doesn't answer" not in told[-1]  # the run has heard, nobody had to end it
    assert not out.exists()


def test_a_second_signal_a_second_later_ends_the_process_at_once(tiffs, out):
    code = STUCK.replace(
        "cli.main()", "import hoaconv.engine.stop as s\ns.raise_if_asked = str\ncli.main()"
    )
    words = [sys.executable, "-c", code, "stack-to-omezarr", str(tiffs), str(out)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stderr if "stuck" in line)
        process.send_signal(signal.SIGINT)
        time.sleep(1.3)
        process.send_signal(signal.SIGTERM)
        told = process.stderr.read()
        assert process.wait(timeout=10) == 143
    assert "ended at once" in told
    assert not looks_complete(out)


def test_sigkill_leaves_nothing_that_looks_complete(slow, tiffs, out):
    slow.kill()
    slow.communicate(timeout=20)
    assert out.exists()
    assert not looks_complete(out)
    refused(run(tiffs, out), STORE, out, "did not finish", "--overwrite")
    assert run(tiffs, out, "--overwrite").exit_code == 0
    assert looks_complete(out)


def test_two_runs_into_one_output_leave_one_whole_store(slow, tiffs, volume, out):
    refused(run(tiffs, out), STORE, out)
    refused(run(tiffs, out, "--overwrite"), STORE, out)  # the other one is alive
    _, stderr = slow.communicate(timeout=30)
    assert slow.returncode == 0, stderr
    np.testing.assert_array_equal(zarr.open_group(out, mode="r")["0"][:], volume)


def test_a_full_disk_midway(make_tiffs, make_volume, tmp_path, out):
    src = make_tiffs(tmp_path / "in", make_volume((16, 300, 300)))
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))
    process = start(src, out, "--compressor", "none", slow=False, preexec_fn=limit)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == STORE, stderr
    assert str(out) in stderr
    assert "Traceback" not in stderr
    assert "tensorstore/" not in stderr
    assert not out.exists()


@pytest.mark.parametrize("where", ["| true", ">&-", ">/dev/full"])
def test_a_closed_or_full_stdout_harms_no_store(tiffs, out, where):
    hoaconv = f"'{sys.executable}' -m hoaconv"
    command = f"{hoaconv} stack-to-omezarr '{tiffs}' '{out}' {where}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert looks_complete(out)


def test_a_report_never_replaces_a_slice(make_tiffs, volume, tmp_path, out):
    src = make_tiffs(tmp_path / "in", volume[:3])
    file = src / "slice_0001.tif"
    whole = file.read_bytes()
    refused(run(src, out, "--report", file), STORE, file, "has to end in .json")
    assert file.read_bytes() == whole


def test_a_run_that_lost_its_folder_says_so(tiffs, out, monkeypatch):
    write_layer = ArrayWriter.write_layer

    def taken_over(self, z, layer):
        (out / MARK).write_text("{}")
        write_layer(self, z, layer)

    monkeypatch.setattr(ArrayWriter, "write_layer", taken_over)
    refused(run(tiffs, out), STORE, out, "somebody else")
    assert not looks_complete(out)


def test_an_output_in_the_way_is_told_before_headers_are_read(tiffs, out, monkeypatch):
    assert run(tiffs, out).exit_code == 0

    def read(*_, **__):
        raise AssertionError("headers are read")

    monkeypatch.setattr("hoaconv.job.chain.open_volume", read)
    refused(run(tiffs, out), STORE, out, "--overwrite")


def test_a_report_that_can_not_be_written_leaves_the_old_one(tiffs, out, tmp_path, monkeypatch):
    (tmp_path / "r.json").write_text("old")
    write = Path.write_text

    def full(self, *args, **options):
        if self.name.endswith(".tmp"):
            write(self, "half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, *args, **options)

    monkeypatch.setattr(Path, "write_text", full)
    told = run(tiffs, out, "--report", tmp_path / "r.json")
    refused(told, STORE, "r.json", "complete")
    assert (tmp_path / "r.json").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.zarr", "r.json"]
    assert looks_complete(out)


def test_a_run_that_has_lost_its_folder_stops_at_its_next_layer(tiffs, out, monkeypatch):
    layers = []

    def losing(self, z, layer, y=0, x=0):
        if len(layers) == 1:
            (out / MARK).write_text("{}")
            (out / "theirs").write_text("theirs")
        layers.append(z)
        return write_layer(self, z, layer, y, x)

    write_layer = ArrayWriter.write_layer
    monkeypatch.setattr(ArrayWriter, "write_layer", losing)
    told = run(tiffs, out, "--chunks", "8", "--levels", "1")
    refused(told, STORE, out, "somebody else")
    assert "removed" not in told.output
    assert (len(layers), (out / "theirs").exists()) == (2, True)


def test_a_plan_whose_scratch_finds_no_place_here_is_a_plan(tiffs, out, monkeypatch):
    monkeypatch.setattr("hoaconv.job.resolve.check_space", lambda _: "scratch doesn't fit here")
    assert run(tiffs, out, "--dry-run").exit_code == 0
    assert "can't run here: scratch doesn't fit" in run(tiffs, out, "--dry-run").output
    refused(run(tiffs, out), STORE, "scratch doesn't fit")
    assert not out.exists()


def test_a_complete_output_whose_mark_stays_is_not_erased(tiffs, volume, out, monkeypatch):
    unlink = Path.unlink

    def refuse(self, missing_ok=False):
        if self == out / MARK:
            raise PermissionError(errno.EACCES, "Permission denied")
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    told = refused(run(tiffs, out), STORE, out, "is complete, but its mark can't be removed")
    assert "nothing of what was written is removed" in told
    np.testing.assert_array_equal(zarr.open_group(out, mode="r")["0"][:], volume)
    monkeypatch.undo()
    assert run(tiffs, out, "--overwrite").exit_code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="no syncfs here")
def test_an_output_that_may_not_be_on_disk_stays_and_says_so(tiffs, volume, out, monkeypatch):
    def failing(*_):
        ctypes.set_errno(errno.EIO)
        return -1

    library = SimpleNamespace(syncfs=failing)
    monkeypatch.setattr(folder, "ctypes", SimpleNamespace(CDLL=lambda *_, **__: library))
    folder.ctypes.get_errno = ctypes.get_errno
    told = refused(run(tiffs, out), STORE, out, "Input/output error", "may not all be on disk")
    assert "nothing of what was written is removed" in told
    np.testing.assert_array_equal(zarr.open_group(out, mode="r")["0"][:], volume)
    assert (out / MARK).exists()


def test_the_report_is_in_the_store_before_that_is_put_on_disk(tiffs, out, monkeypatch):
    seen, sync = [], folder.sync

    def looking(path):
        attributes = json.loads((out / "zarr.json").read_text())["attributes"]
        seen.append(((out / MARK).exists(), attributes["hoaconv"].get("report", {}).get("files")))
        sync(path)

    monkeypatch.setattr(folder, "sync", looking)
    assert run(tiffs, out, "--report", out.with_name("r.json")).exit_code == 0
    told = json.loads(out.with_name("r.json").read_text())
    assert seen == [(True, told["files"])]
    files = [file for file in out.rglob("*") if file.is_file()]
    assert told["bytes_written"] == sum(file.stat().st_size for file in files)


def test_an_output_is_complete_though_its_report_can_not_be_put_in(tiffs, out, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("hoaconv.pyramid.root.json", SimpleNamespace(loads=full))
    told = refused(run(tiffs, out), STORE, out, "No space left", "the output is complete")
    assert "nothing of what was written is removed" in told
    monkeypatch.undo()
    assert looks_complete(out)
    assert not (out / MARK).exists()


def test_a_mark_that_can_not_be_read_for_a_moment_ends_no_run(tiffs, out, monkeypatch):
    unreadable(monkeypatch, out, times=9)
    assert run(tiffs, out).exit_code == 0
    assert looks_complete(out)


def test_a_mark_that_can_not_be_read_any_more_leaves_what_was_written(tiffs, out, monkeypatch):
    write_layer = ArrayWriter.write_layer

    def failing(self, z, layer, y=0, x=0):
        monkeypatch.setattr(ArrayWriter, "write_layer", write_layer)
        monkeypatch.setattr(mark, "READING_SECONDS", 0.2)
        result = write_layer(self, z, layer, y, x)
        unreadable(monkeypatch, out)
        return result

    monkeypatch.setattr(ArrayWriter, "write_layer", failing)
    result = run(tiffs, out, "--chunks", "8", "--levels", "1")
    told = refused(result, STORE, out, "Input/output error", "what was written stays")
    assert "removed" not in told
    assert not looks_complete(out)
    assert (out / "0" / "c").exists()
    monkeypatch.undo()
    assert run(tiffs, out, "--overwrite").exit_code == 0
