"""Runs continue without a cache folder, with a full disk and with damaged kernel files."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import hoaconv
from hoaconv.engine.plan import Plan
from hoaconv.io.phantom import Phantom
from hoaconv.job import compiling
from hoaconv.job.watching import Watcher

pytestmark = pytest.mark.one_python

PACKAGE = Path(hoaconv.__file__).parent


@pytest.fixture
def command(tmp_path):
    """Return a function that runs a conversion by a copy of the package with its own cache."""
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "lib" / "hoaconv", ignore=left_out)
    (tmp_path / "in").mkdir()
    for z in range(3):
        tifffile.imwrite(tmp_path / "in" / f"s_{z}.tif", np.full((5, 6), z, np.uint8))

    def run(name, **environment):
        words = [sys.executable, "-m", "hoaconv", "stack-to-omezarr", "in", name, "--workers", "1"]
        told = {"PYTHONPATH": str(tmp_path / "lib"), "PYTHONDONTWRITEBYTECODE": "1", **environment}
        told = {**os.environ, **told}
        options = {"cwd": tmp_path, "env": told, "capture_output": True, "text": True}
        return subprocess.run(words, **options, check=False)

    return run


def test_without_a_cache_folder_kernels_are_kept_for_one_run(command, tmp_path) -> None:
    (tmp_path / "lib" / "hoaconv" / "kernels" / "__pycache__").write_text("a file, no folder")
    done = command("o.zarr", HOME="/proc/nowhere", XDG_CACHE_HOME="/proc/nowhere")
    assert done.returncode == 0, done.stderr
    assert "NUMBA_CACHE_DIR" in done.stderr
    assert (tmp_path / "o.zarr" / "zarr.json").exists()


@pytest.mark.long
def test_damaged_kernels_are_compiled_again(command, tmp_path) -> None:
    cache = tmp_path / "cache"
    assert command("a.zarr", NUMBA_CACHE_DIR=str(cache)).returncode == 0
    files = [file for file in cache.rglob("*") if file.suffix in (".nbi", ".nbc")]
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[: 40 if file.suffix == ".nbi" else 200])
    done = command("b.zarr", NUMBA_CACHE_DIR=str(cache))
    assert done.returncode == 0, done.stderr
    assert "compiled anew" in done.stderr
    again = command("c.zarr", NUMBA_CACHE_DIR=str(cache))
    assert again.returncode == 0, again.stderr
    assert "anew" not in again.stderr
    assert "compiling" not in again.stderr


FULL = """
import errno
from numba.core import caching
def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")
caching.IndexDataCacheFile.save = full
"""


def test_a_full_disk_of_the_cache_does_not_end_the_run(command, tmp_path) -> None:
    (tmp_path / "lib" / "sitecustomize.py").write_text(FULL)
    done = command("o.zarr", NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert os.strerror(errno.ENOSPC) in done.stderr
    assert str(tmp_path / "cache") in done.stderr


def test_disabled_compilation_is_an_error(command) -> None:
    done = command("o.zarr", NUMBA_DISABLE_JIT="1")
    assert done.returncode == 2
    assert "unset it" in done.stderr


def test_a_memory_error_does_not_remove_kernels(monkeypatch) -> None:
    """Kernels on disk are not removed, and no note says that they are damaged."""

    def too_much(_):
        raise MemoryError

    monkeypatch.setattr(compiling, "warm", too_much)
    monkeypatch.setattr(compiling.cache, "reset", lambda: pytest.fail("kernels were removed"))
    with pytest.raises(MemoryError):
        compiling.load_kernels(Plan.read(Phantom((2, 3, 4))), Watcher())
