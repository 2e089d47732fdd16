"""The command line, called in this process, and what must be true when it refuses."""

import zarr
from typer.testing import CliRunner

from hoaconv.terminal.app import app

SPELLING, SOURCE, PLAN, STORE, INTERRUPTED = 2, 3, 4, 5, 130
"""Exit codes, as ``hoaconv --help`` tells them."""


def run(*args):
    """The verb, in this process."""
    return CliRunner().invoke(app, ["stack-to-omezarr", *map(str, args)])


def refused(result, code, *words):
    """Check that a run ended with a message and no traceback."""
    assert result.exit_code == code, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    text = " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in text
    for word in words:
        assert str(word) in text
    return text


def looks_complete(path):
    try:
        zarr.open_group(path, mode="r")
    except (FileNotFoundError, KeyError, ValueError):
        return False
    return True


SLOW = """
import sys, time
from hoaconv.io.stack import Stack
from hoaconv.terminal import app as cli
read = Stack.read
def slow(self, z, out):
    time.sleep(0.06)
    read(self, z, out)
Stack.read = slow
sys.argv[0] = "hoaconv"
cli.main()
"""
"""The program, whose slices come slowly: something can happen meanwhile."""
