"""Packing of a store into one file."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from hoaconv.engine import machine
from hoaconv.errors import HoaconvError, SpellingError, StoreError
from hoaconv.io.file_claim import FileClaim, check_file_free
from hoaconv.io.ozx import StoredFile, files_of_store, ngff_version, write_zip
from hoaconv.io.url import is_remote
from hoaconv.job.paths import check_beside, check_path, take_source
from hoaconv.job.progress import display
from hoaconv.job.storage import Replacing
from hoaconv.job.tables import html_of
from hoaconv.job.watching import Place, Progress, Watcher
from hoaconv.units import format_bytes, format_seconds

__all__ = ["SUFFIX", "Packed", "pack"]

SUFFIX = ".ozx"
TELL_SECONDS = 0.1
"""Seconds between two tellings of progress: a store may have a million small files."""


@dataclass(frozen=True)
class Packed:
    """A store that was packed into one file.

    Attributes
    ----------
    source, output
        Paths of the store and of the file.
    ngff
        Version of OME-NGFF, as the comment of the file tells it.
    files
        Number of the store's files.
    bytes_written
        Bytes of the file.
    seconds
        Wall time.

    Examples
    --------
    >>> image = (hc.open("slices/") | hc.OmeZarr("brain.zarr", chunks=8)).run()["brain.zarr"]
    >>> packed = hc.pack(image, "brain.ozx")
    >>> packed.ngff, packed.bytes_written < 20_000
    ('0.5', True)
    """

    source: str
    output: str
    ngff: str
    files: int
    bytes_written: int
    seconds: float

    def to_json(self) -> str:
        """Return the whole report as JSON.

        Examples
        --------
        >>> import json
        >>> report = hc.convert("slices/", "brain.zarr", chunks=8)
        >>> json.loads(hc.pack("brain.zarr", "brain.ozx").to_json())["output"]
        'brain.ozx'
        """
        return json.dumps(asdict(self), indent=2) + "\n"

    def __str__(self) -> str:
        return (
            f"\n{self.output}\n"
            f"written  {format_bytes(self.bytes_written)}, {self.files} files in one\n"
            f"time     {format_seconds(self.seconds)}"
        )

    def _repr_html_(self) -> str:
        return html_of(str(self))


class _InFiles(Place):
    """Position among the files of a store."""

    def __str__(self) -> str:
        return f"{self.planes}/{self.total} files"


def pack(options: Mapping[str, Any]) -> Packed:
    """Do what `hoaconv.pack` says; `options` are all its parameters, by name."""
    overwrite = Replacing.take(options).overwrite
    src, dst = take_source(options["store"]), options["dst"]
    if is_remote(os.fspath(src)):
        raise SpellingError(f"{src} is an address; pack takes a store on a file system")
    check_path(dst)
    if Path(dst).suffix.lower() != SUFFIX:
        raise StoreError(f"{dst} doesn't end in {SUFFIX}; name it {Path(dst).stem}{SUFFIX}")
    check_beside(Path(dst), src)
    check_file_free(Path(dst), overwrite=overwrite)
    version = ngff_version(Path(src))
    files = files_of_store(Path(src))
    start = perf_counter()
    with display(options["watcher"]) as watcher:
        nbytes = _write(Path(dst), files, version, _teller(watcher, files), overwrite=overwrite)
    seconds = perf_counter() - start
    return Packed(os.fspath(src), os.fspath(dst), version, len(files), nbytes, seconds)


def _write(
    path: Path,
    files: list[StoredFile],
    version: str,
    tell: Callable[[int], None],
    *,
    overwrite: bool,
) -> int:
    """Write the file whole, or not at all; return its bytes."""
    claim = FileClaim(path, overwrite=overwrite)
    try:
        claim.check()
        write_zip(claim.part, files, version, tell)
        nbytes = claim.part.stat().st_size
    except BaseException as error:
        try:
            claim.abandon()
        except OSError as reason:
            error.add_note(f"what was written stays: {reason}")
        if isinstance(error, HoaconvError) or not isinstance(error, OSError):
            raise
        raise StoreError(f"{path} can't be written: {error.strerror or error}") from error
    claim.finish()
    return nbytes


def _teller(watcher: Watcher, files: list[StoredFile]) -> Callable[[int], None]:
    """Return the function that tells a watcher of the files that are written."""
    start, total = perf_counter(), len(files)
    mean = sum(file.nbytes for file in files) // max(1, total)
    last = start

    def tell(done: int) -> None:
        nonlocal last
        now = perf_counter()
        if done < total and now - last < TELL_SECONDS:
            return
        last = now
        at = _InFiles(1, 1, done, total)
        watcher.progress(Progress(done, total, mean, 0, now - start, machine.resident(), at))

    return tell
