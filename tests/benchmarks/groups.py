"""The jobs, as data. A new one is an entry here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

from tests.benchmarks.jobs import Group, Job

__all__ = ["GROUPS", "choose"]

RUN = ("{src}", "{dst}", "--workers", "{workers}", "--report", "{report}")
CHUNKED = ("--shards", "none", "--levels", "5")
"""128-cubed chunks, blosc-zstd-1, shuffled, in blocks of 256 KiB."""

BRIGHT = "threshold 20000 | open 1"


def _convert(*options: str, run: Sequence[str] = RUN) -> tuple[str, ...]:
    return ("{scripts}/hoaconv", "stack-to-omezarr", *run, "--quiet", *options)


def _program(name: str, *options: str) -> tuple[str, ...]:
    return ("{python}", "-m", f"tests.benchmarks.{name}", *RUN, *options)


def _peer(who: str, stack: str, program: str, environment: str, op: str = "") -> Job:
    """A peer's script; with an op it is compared with the same op of ours."""
    tail = f"-{op}" if op else ""
    ours = f"hoaconv-{stack}-{op.removeprefix('skimage-')}" if op else f"hoaconv-{stack}"
    words = _program(program, *(("--op", op) if op else ()))
    return Job(f"{who}-{stack}{tail}", stack, words, (ours,), environment)


def _plain(stack: str) -> Iterator[Job]:
    yield Job(f"floor-{stack}", stack, _program("floor"))
    yield Job(f"hoaconv-{stack}", stack, _convert(*CHUNKED), (f"floor-{stack}",))
    yield _peer("dask", stack, "with_dask", "dask")
    yield _peer("stack-to-chunk", stack, "with_stack_to_chunk", "stack-to-chunk")
    yield _peer("ome-zarr", stack, "with_ome_zarr", "ome-zarr")
    yield _peer("ngff-zarr", stack, "with_ngff_zarr", "ngff-zarr")


OPS = {
    "gaussian": ("--ops", "gaussian 1.5"),
    "median": ("--ops", "median 3"),
    "open": ("--ops", BRIGHT),
    "label": ("--label", f"bright={BRIGHT}"),
}
"""What rides on a conversion, by the name of its jobs."""


def _ops(stack: str) -> Iterator[Job]:
    plain = (f"hoaconv-{stack}", f"floor-{stack}")
    for name, options in OPS.items():
        yield Job(f"hoaconv-{stack}-{name}", stack, _convert(*CHUNKED, *options), plain)
    yield Job(f"hoaconv-{stack}-histogram", stack, _program("histogram"))
    for op in ("gaussian", "median", "open", "histogram"):
        yield _peer("dask", stack, "with_dask", "dask", op)
    yield _peer("dask", stack, "with_dask", "dask", "skimage-open")
    if stack == "tiff":
        yield _peer("simpleitk", stack, "with_simpleitk", "simpleitk", "median")
        yield _peer("simpleitk", stack, "with_simpleitk", "simpleitk", "open")


CODECS = {
    "zstd": ("blosc-zstd:1:shuffle:256KiB", ("--codec", "zstd")),
    "zstd-own-block": ("blosc-zstd:1:shuffle:0", ("--codec", "zstd", "--block", "0")),
    "lz4": ("lz4", ("--codec", "lz4", "--block", "0")),
    "none": ("none", ("--codec", "none")),
}
"""How chunks are packed: ours, and the same for the floor."""


def _stores(stack: str) -> Iterator[Job]:
    for chunk, shard, codec in product((64, 128), (0, 1024), CODECS):
        name = f"{stack}-{chunk}-{'sharded' if shard else 'chunked'}-{codec}"
        packed, unit = CODECS[codec]
        floor = ("--chunk", f"{chunk}", "--shard", f"{shard}", *unit)
        shards = f"{chunk},{shard},{shard}" if shard else "none"
        ours = ("--chunks", f"{chunk}", "--shards", shards, "--compressor", packed)
        yield Job(f"floor-{name}", stack, _program("floor", *floor))
        words = _convert("--levels", "5", *ours)
        yield Job(f"hoaconv-{name}", stack, words, (f"floor-{name}",))


def _encodings(stack: str) -> Iterator[Job]:
    yield Job(f"floor-{stack}", stack, _program("floor"))
    yield Job(f"hoaconv-{stack}", stack, _convert(*CHUNKED), (f"floor-{stack}",))
    yield _peer("dask", stack, "with_dask", "dask")


def _previews() -> Iterator[Job]:
    """Lower resolutions of every slice, and one slice in as many."""
    for factor in ("2", "4", "8"):
        words = _convert("--reduce", factor)
        yield Job(f"reduce-{factor}", "wide", words, ("wide",))
    yield Job("reduce-8-every-8th", "wide", _convert("--reduce", "8", "--range", "::8"), ("wide",))


def _slices() -> Iterator[Job]:
    """A fourth, half and all of a stack four times as long."""
    for name, part in {"quarter": ":{quarter}", "half": ":{half}", "all": ":"}.items():
        against = () if name == "quarter" else ("slices-quarter",)
        yield Job(f"slices-{name}", "long", _convert(*CHUNKED, "--range", part), against)


def _workers() -> Iterator[Job]:
    two, one = (
        _convert(*CHUNKED, run=[count if word == "{workers}" else word for word in RUN])
        for count in ("2", "1")
    )
    yield Job("workers-2", "jp2", two)
    yield Job("workers-1", "jp2", one, ("workers-2",))
    yield Job("workers-1-on-1-cpu", "jp2", ("taskset", "--cpu-list", "0", *one), ("workers-2",))


def _model() -> Iterator[Job]:
    for count in (1, 2, 4, 8, 16):
        words = _program("model", "--cores", f"{count}", "--slices", "{slices}")
        yield Job(f"model-{count}", "", words)
    words = _program("model", "--cores", "64", "--slices", "{slices}", "--pace", "1")
    yield Job("model-64-in-full", "", words)
    yield Job("engine-alone", "", _program("engine_alone", "--slices", "{slices}"))


def _of(jobs: Callable[[str], Iterable[Job]], *stacks: str) -> tuple[Job, ...]:
    return tuple(job for stack in stacks for job in jobs(stack))


GROUPS = (
    Group("plain", "Stack to OME-Zarr", _of(_plain, "jp2", "tiff")),
    Group("ops", "With ops on the way", _of(_ops, "jp2", "tiff")),
    Group(
        "kernels",
        "Ops against scipy.ndimage, on one thread",
        (Job("kernels", "", _program("op_speed", "--rows", "{rows}")),),
    ),
    Group("stores", "Chunks, shards, compressors", _of(_stores, "jp2", "tiff"), asked=True),
    Group(
        "encodings",
        "Lossless JP2, deflated TIFF",
        _of(_encodings, "jp2-lossless", "tiff-deflate"),
        asked=True,
    ),
    Group("previews", "Lower resolutions of JP2 slices", (*_previews(),), asked=True),
    Group(
        "scaling",
        "Slices, workers, cores",
        (*_slices(), *_workers(), Job("wide", "wide", _convert()), *_model()),
        asked=True,
    ),
)


def choose(names: Sequence[str]) -> list[Job]:
    """Jobs by their names or their group's, and those that they are compared with.

    Examples
    --------
    >>> [job.name for job in choose(["hoaconv-tiff-gaussian"])]
    ['floor-tiff', 'hoaconv-tiff', 'hoaconv-tiff-gaussian']
    """
    known = {job.name: job for group in GROUPS for job in group.jobs}
    wanted = [
        job for group in GROUPS for job in group.jobs if job.name in names or group.name in names
    ]
    needed = {job.name for job in wanted}
    for job in wanted:
        for other in job.against:
            if other not in needed:
                needed.add(other)
                wanted.append(known[other])
    return [job for job in known.values() if job.name in needed]
