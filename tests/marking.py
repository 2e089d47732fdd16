"""Stores, and marks in them, as runs leave them."""

import errno
import json
import os
from dataclasses import asdict
from time import time

from hoaconv.io.mark import MARK, Mark


def zarr_at(path):
    (path / "0" / "c").mkdir(parents=True)
    (path / "zarr.json").write_text("{}")
    (path / "0" / "c" / "1").write_bytes(b"12345")
    return path


def write_mark(path, seconds_ago=0.0, **changed):
    """A mark as this process would leave it, but for what is changed."""
    file = path / MARK
    file.write_text(json.dumps({**asdict(Mark.new()), **changed}))
    os.utime(file, (time() - seconds_ago,) * 2)
    return file


def unreadable(monkeypatch, path, times=1 << 30):
    """Have the disk refuse to read a folder's mark, so many times."""
    open_file, calls = os.open, []

    def failing(file, *args, **options):
        if os.fspath(file) == str(path / MARK) and len(calls) < times:
            calls.append(file)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return open_file(file, *args, **options)

    monkeypatch.setattr(os, "open", failing)
