"""Terminals that close, pipes that nobody reads, full disks: exit codes stay what they mean."""

import errno
import os
import subprocess
import sys
from io import StringIO

import pytest
from invoking import SLOW, looks_complete
from rich.console import Console
from waiting_for import wait_until

from hoaconv.io.mark import MARK
from hoaconv.job import progress
from hoaconv.job.watching import Place, Progress

FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
HOACONV = f"'{sys.executable}' -m hoaconv"


def shell(command):
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False
    )


@FULL
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("plan nosuch x.zarr 2>/dev/full", 3),
        ("stats --nosuch x 2>/dev/full", 2),
        ("--version >/dev/full", 5),
        ("ops >/dev/full", 5),
        ("ops 2>/dev/full", 0),
    ],
)
def test_a_full_disk_behind_stdout_or_stderr(words, code):
    done = shell(f"{HOACONV} {words}")
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "complete" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [("--help", 0), ("--version", 0), ("ops", 0), ("plan nosuch x.zarr", 3), ("plan --nosuch", 2)],
)
def test_a_reader_who_has_gone_changes_no_exit_code(words, code):
    done = shell(f"{HOACONV} {words} 2>&1 | true; echo ${{PIPESTATUS[0]}}")
    assert done.stdout.strip() == str(code)
    assert done.stderr == ""


@FULL
def test_a_summary_on_a_full_disk_tells_that_the_output_is_complete(tiffs, out):
    done = shell(f"{HOACONV} stack-to-omezarr '{tiffs}' '{out}' >/dev/full")
    assert done.returncode == 5
    assert done.stderr.endswith("No space left on device; the output is complete\n")
    assert looks_complete(out)


def test_a_terminal_that_goes_away_does_not_end_a_run_that_ignores_it(tiffs, out):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", SLOW, "stack-to-omezarr", str(tiffs), str(out)]
    process = subprocess.Popen(
        [
            "bash",
            "-c",
            "trap '' HUP; exec \"$@\"",
            "bash",
            *words,
            "--workers",
            "1",
            "--chunks",
            "4,32,32",
        ],
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    wait_until((out / MARK).exists)
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert looks_complete(out)


class Gone(StringIO):
    def write(self, _):
        raise OSError(errno.EIO, "Input/output error")


def told(sweep, planes):
    at = Place(sweep, 2, planes, 16000)
    return Progress(planes, 32000, 2 << 23, 1 << 23, 1234.5, 12 << 30, at)


def test_a_bar_on_a_terminal_that_is_gone(monkeypatch):
    gone = Console(file=Gone(), force_terminal=True, width=80)
    monkeypatch.setattr(progress, "Console", lambda **_: gone)
    with progress._OnTerminal(None) as bar:
        bar.note("hello")
        bar.progress(told(1, 5))


@pytest.mark.parametrize(("width", "memory"), [(80, False), (140, True)])
def test_a_bar_fits_its_terminal(monkeypatch, width, memory):
    console = Console(file=StringIO(), force_terminal=True, width=width, color_system=None)
    monkeypatch.setattr(progress, "Console", lambda **_: console)
    bar = progress._OnTerminal(None)
    bar.progress(told(2, 12345))
    with console.capture() as shown:
        console.print(bar._bar.get_renderable())
    (line,) = [text.rstrip() for text in shown.get().splitlines() if text.strip()]
    assert "sweep 2 of 2: 12345/16000" in line
    assert "32 min 46 s left, 168 MB/s" in line or memory
    assert ("memory" in line) == memory
    assert "…" not in line
