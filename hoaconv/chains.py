"""Sources opened, chains of ops made into a plan: what conversions and measurements share."""

from collections.abc import Callable, Iterable, Mapping
from threading import Timer
from time import perf_counter
from typing import Any, cast

from hoaconv.engine import machine
from hoaconv.engine.contract import Op, Step, Zip
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import warm
from hoaconv.engine.spec import Spec
from hoaconv.io.source import Volume, open_volume
from hoaconv.options import take_decoder, take_reduce
from hoaconv.paths import take_source
from hoaconv.report import Progress, Watcher
from hoaconv.units import parse_range

__all__ = ["chained", "open_others", "open_source", "teller", "warm_up"]


def open_source(options: Mapping[str, Any]) -> Volume:
    """What ``src`` names, read as ``range``, ``allow_gaps``, ``reduce`` and the like say.

    Raises
    ------
    SpellingError
        If an option can't be had, before any file is looked at.
    SourceError
        If the source can't be found or read.
    """
    return open_volume(
        take_source(options["src"]),
        slices=parse_range(options["range"]) if options["range"] else None,
        allow_gaps=options["allow_gaps"],
        allow_names=options["allow_names"],
        reduce=take_reduce(options["reduce"]),
        gpu=take_decoder(options["decoder"]),
    )


def open_others(chains: Iterable[tuple[Step, ...]]) -> dict[str, Volume]:
    """What ops take beside the slices, by path; each is opened once.

    Raises
    ------
    SourceError
        If one can't be read as a volume.
    """
    zips = (op for ops in chains for op in ops if isinstance(op, Zip))
    paths = dict.fromkeys(path for op in zips for path in op.others)
    return {path: open_volume(path) for path in paths}


def chained(plan: Plan, ops: tuple[Step, ...], others: Mapping[str, Volume]) -> Plan:
    """The plan, going on with the ops, and with what they take beside its planes."""
    for op in ops:
        if isinstance(op, Zip) and op.others:
            for path in op.others:
                plan &= Plan.read(others[path])
            plan |= op.join()
        else:
            plan |= cast(Op, op)  # or a resample or scan: a zip without others is an op
    return plan


def warm_up(planned: Plan, watcher: Watcher) -> None:
    """Compile the kernels, or load them; tell it where that takes long."""
    slow = Timer(1.0, watcher.note, ["compiling kernels; they are kept on disk for the next run"])
    slow.start()
    try:
        warm(planned)
    finally:
        slow.cancel()


def teller(watcher: Watcher, spec: Spec, total: int) -> Callable[[], None]:
    """What tells how far a run is, called for each of `total` slices; its seconds begin now."""
    voxels, start = spec.plane_shape[0] * spec.plane_shape[1], perf_counter()
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        seconds, memory = perf_counter() - start, machine.resident()
        watcher.progress(Progress(done, total, spec.plane_bytes, voxels, seconds, memory))

    return tell
