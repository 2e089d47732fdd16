"""What the user asked for, checked and turned into what the floors below take."""

import operator
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from pathlib import Path
from typing import Any

from hoaconv.engine import machine
from hoaconv.engine.contract import Step
from hoaconv.errors import SourceError, SpellingError, StoreError
from hoaconv.io.compressor import Compressor
from hoaconv.io.folder import ZARR_FILES
from hoaconv.io.jp2_gpu import check_gpu
from hoaconv.kernels.downsample import MAX_CELL, METHODS
from hoaconv.ops.spelling import parse_op, parse_ops
from hoaconv.placed import Placed
from hoaconv.pyramid.metadata import ImageInfo
from hoaconv.pyramid.sink import OmeZarr
from hoaconv.units import did_you_mean, parse_bytes, parse_whole_triple
from hoaconv.words import PathLike

__all__ = [
    "Branches",
    "Output",
    "check_apart",
    "check_scratch",
    "check_separate",
    "take_branches",
    "take_budget",
    "take_decoder",
    "take_ops",
    "take_reduce",
    "take_report_path",
    "take_sample",
    "take_source",
    "take_workers",
]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a Path has lost one of two slashes
_LABEL = re.compile(r"\w(?:[\w .-]*[\w-])?")

Triple = tuple[int, int, int]
Branches = Mapping[str, tuple[Step, ...]]

BUDGET_SHARE = 0.6
DECODERS = ("openjpeg", "nvimgcodec")
CHUNKS, UNSHARDED = (64, 64, 64), (128, 128, 128)
SHARD_WIDTH = 1024


@dataclass(frozen=True)
class Output:
    """The options of an output, checked before any header is read."""

    path: Path
    name: str | None
    ngff: str
    chunks: Triple
    shards: Triple | None
    compressor: Compressor
    levels: int | None
    method: str
    factors: Triple | None
    overwrite: bool
    scratch: Path | None
    labels: tuple[str, ...] = ()
    is_label: bool = False

    @classmethod
    def take(cls, options: Mapping[str, Any]) -> "Output":
        """From a verb's options, by their names: the main output.

        Raises
        ------
        SpellingError
            For an option that isn't understood.
        StoreError
            If source and output lie inside each other, or the scratch folder can't be used.
        """
        o = options
        ngff = _one_of("NGFF version", str(o["ngff"]), ("0.5", "0.4"))
        chunks, shards = _grid(o["chunks"], o["shards"], ngff)
        return cls(
            path=_output_path(o["dst"], o["src"]),
            name=o["name"],
            ngff=ngff,
            chunks=chunks,
            shards=shards,
            compressor=Compressor.parse(str(o["compressor"])),
            levels=None if o["levels"] is None else _count(o["levels"], "levels"),
            method=_one_of("downsample method", str(o["downsample"]), tuple(METHODS)),
            factors=_factors(o["factors"]),
            overwrite=o["overwrite"],
            scratch=_scratch_folder(o["scratch"]),
        )

    def sink(self, name: str, place: Placed, provenance: Mapping[str, Any]) -> OmeZarr:
        """The sink, now that the source has told its name and where its voxels lie."""
        return OmeZarr(
            path=self.path,
            image=ImageInfo(self.name or name, self.method, place.edges, place.unit, place.origin),
            chunks=self.chunks,
            shards=self.shards,
            compressor=self.compressor,
            ngff=self.ngff,
            factors=self.factors,
            level_count=self.levels,
            overwrite=self.overwrite,
            provenance=provenance,
            scratch=self.scratch,
            labels=self.labels,
            is_label=self.is_label,
        )

    def label(self, name: str) -> "Output":
        """A label image of this one, by the same grid; its pyramid takes the commonest value.

        Raises
        ------
        SpellingError
            If the name can't be a folder's.
        """
        if not _LABEL.fullmatch(name) or name in ZARR_FILES:
            raise SpellingError(
                f"label {name!r} can't be the name of a folder in a store; take letters, digits, "
                "spaces, and . _ - inside"
            )
        path = self.path / "labels" / name
        return replace(self, path=path, name=name, method="mode", labels=(), is_label=True)

    def beside(self, dst: PathLike, src: PathLike) -> "Output":
        """Another image, by the same options.

        Raises
        ------
        StoreError
            If it and the source lie inside each other.
        """
        return replace(self, path=_output_path(dst, src), labels=())


def _one_of(what: str, word: str, known: tuple[str, ...]) -> str:
    if word not in known:
        hint = did_you_mean(word, known)
        raise SpellingError(f"{what} {word!r} is none of {', '.join(known)}{hint}")
    return word


def _grid(chunks: Any, shards: Any, ngff: str) -> tuple[Triple, Triple | None]:
    """Chunks and shards as asked, else the defaults; shards hold whole chunks."""
    if shards not in (None, "none") and ngff == "0.4":
        raise SpellingError("NGFF 0.4 has no shards; drop --shards or take --ngff 0.5")
    if shards == "none" or ngff == "0.4":
        return (UNSHARDED if chunks is None else parse_whole_triple(chunks, "chunks")), None
    inner = CHUNKS if chunks is None else parse_whole_triple(chunks, "chunks")
    if shards is None:  # one chunk thick, since the layer is; about as wide as asked, whole chunks
        y, x = (max(c, SHARD_WIDTH // c * c) for c in inner[1:])
        return inner, (inner[0], y, x)
    outer = parse_whole_triple(shards, "shards")
    if any(s % c for s, c in zip(outer, inner, strict=True)):
        raise SpellingError(f"shards {outer} don't hold whole chunks {inner}; write multiples")
    return inner, outer


def _factors(factors: Any) -> Triple | None:
    if factors is None:
        return None
    taken = parse_whole_triple(factors, "factors")
    if prod(taken) > MAX_CELL:
        raise SpellingError(f"factors {factors} make one voxel of more than {MAX_CELL}; take less")
    return taken


def _count(number: Any, what: str) -> int:
    try:
        count = operator.index(number)
    except TypeError:
        raise SpellingError(f"{what} {number!r} is not a whole number") from None
    if count < 1:
        raise SpellingError(f"{what} {count} is less than 1")
    return count


def _output_path(dst: PathLike, src: PathLike) -> Path:
    """The output, if it can be one and the source doesn't lie in it, nor it in the source."""
    if not isinstance(dst, str | os.PathLike):
        raise SpellingError(f"the output is a {type(dst).__name__}; expected the path of a folder")
    if not os.fspath(dst) or not os.fspath(take_source(src)):
        raise SpellingError("source and output need a name; was a shell variable empty?")
    if _ADDRESS.match(os.fspath(dst)):
        raise SpellingError(f"{dst} is an address; the output is a folder on a file system")
    path, source = Path(dst), Path(src)
    try:
        os.fspath(path).encode()
        if os.path.isdir(source):  # unlike Path.is_dir, False for what can't be a name
            check_apart(path, [source / "slice"])
    except StoreError:  # an OSError too
        raise
    except UnicodeEncodeError:
        raise StoreError(f"{os.fspath(dst)!r} is not UTF-8; a store's name has to be") from None
    except OSError as error:
        raise StoreError(f"{dst} can't be used: {error.strerror}") from error
    return path


def _scratch_folder(path: PathLike | None) -> Path | None:
    """The folder to make scratch in, if it can be."""
    if path is None:
        return None
    folder = Path(path)
    if not os.path.isdir(folder):  # unlike Path.is_dir, False for what can't be a name
        raise StoreError(f"scratch {folder} is not a folder; make it first, or name another")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"scratch {folder} can't be used: no permission; name another folder")
    return folder


def check_scratch(scratch: Path | None, output: Path, files: Sequence[Path]) -> None:
    """Refuse a scratch folder in the output, which may be erased, or among the slices.

    Raises
    ------
    StoreError
        If so. A lone file may have it beside it.
    """
    if scratch is None:
        return
    alone = len(files) == 1 and files[0].is_file()
    for folder in {output, *(file.parent for file in files if not alone)}:
        if scratch.resolve().is_relative_to(folder.resolve()):
            raise StoreError(f"scratch {scratch} lies inside {folder}; name a folder beside it")


def check_separate(outputs: Sequence[Path]) -> None:
    """Refuse outputs of one run that lie inside each other.

    Raises
    ------
    StoreError
        If two do, or are the same.
    """
    for one, other in combinations(outputs, 2):
        here, there = one.resolve(), other.resolve()
        if here.is_relative_to(there) or there.is_relative_to(here):
            raise StoreError(f"{one} and {other} lie inside each other; write beside it")


def check_apart(output: Path, files: Sequence[Path]) -> None:
    """Refuse an output among the slices, or slices inside the output, which may be erased.

    Raises
    ------
    StoreError
        If so. A lone file, a multi-page TIFF say, may have the output beside it.
    """
    there = output.resolve()
    for folder in {file.parent.resolve() for file in files}:
        if folder.is_relative_to(there):
            raise StoreError(f"the slices in {folder} lie inside {output}, which would be replaced")
        if there.is_relative_to(folder) and (len(files) > 1 or not files[0].is_file()):
            raise StoreError(f"{output} lies inside the source {folder}; write beside it")


def take_branches(branches: Mapping[str, Any] | Sequence[str], option: str) -> Branches:
    """Names and ops of ``NAME=OPS`` words, or of a mapping.

    Raises
    ------
    SpellingError
        If a word has no ``=``, a name is no name or given twice, or the ops aren't understood.
    """
    if isinstance(branches, str):
        branches = [branches]
    if isinstance(branches, Mapping):
        pairs = [(str(name).strip(), "=", ops) for name, ops in branches.items()]
    else:
        words = [word.partition("=") for word in branches]
        pairs = [(name.strip(), equals, ops) for name, equals, ops in words]
    if not all(name and equals for name, equals, _ in pairs):
        raise SpellingError(f'{option} is written NAME="OPS", as in bone="threshold 20000"')
    names = [name for name, _, _ in pairs]
    if len({name.casefold() for name in names}) < len(names):  # one folder on some file systems
        raise SpellingError(f"{option} names one output twice: {', '.join(names)}")
    return {name: take_ops(ops) for name, _, ops in pairs}


def take_ops(ops: str | Sequence[Step | str]) -> tuple[Step, ...]:
    """Ops, spelled in one text or each by itself, or not. Raises SpellingError."""
    if isinstance(ops, str):
        return parse_ops(ops)
    return tuple(parse_op(op) if isinstance(op, str) else op for op in ops)


def take_budget(text: str | int | None) -> int:
    """Bytes; by default a share of what this process may use. Raises SpellingError."""
    return int(BUDGET_SHARE * machine.memory_limit()) if text is None else parse_bytes(text)


def take_workers(count: int | None) -> int:
    """Threads; by default the CPUs that this process may use. Raises SpellingError."""
    return machine.cpus() if count is None else _count(count, "workers")


def take_sample(count: int | None) -> int | None:
    """Slices to draw. Raises SpellingError."""
    if count is None:
        return None
    if _count(count, "sample") < 2:
        raise SpellingError("sample 1 tells nothing of how slices differ; draw 2 or more")
    return _count(count, "sample")


def take_reduce(factor: int) -> int:
    """By how much slices are smaller than they are stored. Raises SpellingError."""
    count = _count(factor, "reduce")
    if count & (count - 1):
        raise SpellingError(f"reduce {count} is not a power of 2; JP2 halves: write 2, 4, 8, ...")
    return count


def take_decoder(name: str) -> bool:
    """Whether a GPU is to decode. Raises SpellingError, also where there is none."""
    if _one_of("decoder", name, DECODERS) == "openjpeg":
        return False
    check_gpu()
    return True


def take_source(src: PathLike) -> PathLike:
    """What to read.

    Raises
    ------
    SpellingError
        If it has no name, which would be this folder, or is an address.
    SourceError
        If it is no path at all: voxels themselves, say.
    """
    if not isinstance(src, str | os.PathLike):
        raise SourceError(
            f"the source is a {type(src).__name__}, and hoaconv reads files: expected a path; save "
            "voxels first, as in tifffile.imwrite('volume.tif', voxels) or zarr.save"
        )
    if _ADDRESS.match(os.fspath(src)):
        raise SpellingError(
            f"{os.fspath(src)} is an address; the source is a folder or file on a file system: "
            "download it first, or mount it"
        )
    if not os.fspath(src):
        raise SpellingError("the source needs a name; was a shell variable empty?")
    return src


def take_report_path(path: PathLike | None) -> Path | None:
    """Where to write the report. Raises StoreError if that can be seen to be impossible."""
    if path is None:
        return None
    file = Path(path)
    if file.is_dir():
        raise StoreError(f"the report {file} can't be written: it is a folder; name a file")
    if not file.absolute().parent.is_dir():
        raise StoreError(f"the report can't be written: there is no folder {file.parent}")
    if file.exists() and file.suffix != ".json":
        raise StoreError(f"the report {file} exists and is no .json; it is not replaced")
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise StoreError(f"the report {file} can't be written: no permission")
    return file
