"""What the user asked for, checked and turned into what the floors below take."""

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from hoaconv.engine import machine
from hoaconv.engine.contract import Step
from hoaconv.errors import SpellingError
from hoaconv.io.compressor import Compressor
from hoaconv.io.folder import ZARR_FILES
from hoaconv.io.jp2_gpu import check_gpu
from hoaconv.kernels.downsample import MAX_CELL, METHODS
from hoaconv.ops.spelling import parse_op, parse_ops
from hoaconv.paths import output_path, scratch_folder
from hoaconv.pyramid.metadata import ImageInfo
from hoaconv.pyramid.sink import OmeZarr
from hoaconv.units import did_you_mean, parse_bytes, parse_whole_triple
from hoaconv.words import PathLike

__all__ = [
    "Branches",
    "Output",
    "take_branches",
    "take_budget",
    "take_decoder",
    "take_ops",
    "take_reduce",
    "take_sample",
    "take_workers",
]

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
            path=output_path(o["dst"], o["src"]),
            name=o["name"],
            ngff=ngff,
            chunks=chunks,
            shards=shards,
            compressor=Compressor.parse(str(o["compressor"])),
            levels=None if o["levels"] is None else _count(o["levels"], "levels"),
            method=_one_of("downsample method", str(o["downsample"]), tuple(METHODS)),
            factors=_factors(o["factors"]),
            overwrite=o["overwrite"],
            scratch=scratch_folder(o["scratch"]),
        )

    @property
    def title(self) -> str:
        """What the image is called if nobody says more: as the output is."""
        return re.sub(r"(\.ome)?\.zarr$", "", self.path.absolute().name, flags=re.I) or "image"

    def sink(self, name: str | None, provenance: Mapping[str, Any]) -> OmeZarr:
        """Make the sink, now that the source has told its image's name."""
        title = self.name or name or self.title
        return OmeZarr(
            path=self.path,
            image=ImageInfo(title, self.method),
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
        return replace(self, path=output_path(dst, src), labels=())


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
