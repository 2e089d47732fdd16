"""hoaconv, run as a process of its own or in this one, and what it has to say when it refuses."""

import os
import shlex
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typer.testing import CliRunner

import hoaconv

from .trials import Done, Skipped, Unexpected

__all__ = ["before_call", "finish", "here", "in_words", "run", "start", "wait_until_ready"]

LONGEST = 90.0
"""Seconds after which a process counts as hung."""

NEVER = ("Traceback", "Exception ignored", "Fatal Python error", "terminate called", "Warning:")
"""What no run may print, whether it succeeds or not."""


def start(*words: object, prefix: Sequence[str] = (), **options: Any) -> subprocess.Popen[str]:
    """Start ``hoaconv stack-to-omezarr`` as a process; `prefix` is put before the command."""
    found = str(Path(hoaconv.__file__).parents[1])
    paths = os.pathsep.join(p for p in (found, os.environ.get("PYTHONPATH")) if p)
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "hoaconv", "stack-to-omezarr", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        env={**os.environ, "PYTHONPATH": paths},
        **options,
    )


def finish(process: subprocess.Popen[str], seconds: float = LONGEST, note: str = "") -> Done:
    """Wait for a process; kill it, and raise `Unexpected`, if it takes too long."""
    command = shlex.join(map(str, process.args)) + note  # type: ignore[arg-type]
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        done = Done(command, -9, *process.communicate())
        raise Unexpected(f"it hangs: not ended after {seconds:g} s", done) from None
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return Done(command, process.returncode, stdout, stderr)


def run(*words: object, note: str = "", **options: Any) -> Done:
    """Run ``hoaconv stack-to-omezarr`` as a process, to its end."""
    return finish(start(*words, **options), note=note)


def here(*words: object, cwd: Path | None = None) -> Done:
    """Run ``hoaconv stack-to-omezarr`` in this process, which is quicker."""
    from hoaconv.terminal.app import app

    spelled, before = ["stack-to-omezarr", *map(str, words)], os.getcwd()
    command = shlex.join(["hoaconv", *spelled])
    try:
        os.chdir(cwd or before)
        got = CliRunner().invoke(app, spelled)
    finally:
        os.chdir(before)
    if got.exit_code == 130:
        raise KeyboardInterrupt
    if isinstance(got.exception, Unexpected):
        raise got.exception
    stderr = got.stderr
    if got.exception and not isinstance(got.exception, SystemExit):
        stderr += "".join(traceback.format_exception(got.exception))
    return Done(command if cwd is None else f"cd {cwd}; {command}", got.exit_code, "", stderr)


def in_words(done: Done, *codes: int) -> None:
    """Check that a run ended well, or with one of `codes` and an error in words.

    Raises
    ------
    Unexpected
        If it ended otherwise.
    """
    for never in NEVER:
        if never in done.stderr:
            raise Unexpected(f"it prints {never!r}", done)
    if done.code == 0:
        return
    if done.code not in codes:
        expected = ", ".join(map(str, (0, *codes)))
        raise Unexpected(f"exit code {done.code}; expected is one of {expected}", done)
    if "hoaconv: " not in done.stderr and "Usage: " not in done.stderr:
        raise Unexpected("it ends without a word", done)


def wait_until_ready(process: subprocess.Popen[str], signal: int, seconds: float = 30) -> None:
    """Wait until a process handles a signal: before, Python itself or the system ends it."""
    status = Path("/proc", str(process.pid), "status")
    if not status.exists():
        raise Skipped("no /proc tells when the program is ready for signals")
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
        if int(caught, 16) >> (signal - 1) & 1:
            return
        time.sleep(0.005)


@contextmanager
def before_call(owner: type, method: str, number: int, deed: Callable[[], None]) -> Iterator[None]:
    """Within the block, have `deed` done just before call `number` of a method, from 0."""
    calls, original = count(), getattr(owner, method)

    def called(*args: Any, **options: Any) -> Any:
        if next(calls) == number:
            deed()
        return original(*args, **options)

    with patch.object(owner, method, called):
        yield
