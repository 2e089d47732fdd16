"""Sources opened, chains of ops made into a plan: what conversions and measurements share."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from threading import Event, Thread, Timer
from time import perf_counter
from typing import Any, cast

from hoaconv.engine import machine
from hoaconv.engine.contract import Fold, Op, Scan, Source, Step, Zip
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import warm
from hoaconv.engine.schedule import Schedule
from hoaconv.engine.spec import Spec
from hoaconv.errors import HoaconvError
from hoaconv.io.source import Volume, open_volume
from hoaconv.io.zarr_store import is_zarr
from hoaconv.kernels import TEMPORARY, cache
from hoaconv.ops.own import load_ops
from hoaconv.ops.repeated import Repeated
from hoaconv.options import take_decoder, take_reduce
from hoaconv.paths import take_module, take_source
from hoaconv.report import Place, Progress, Watcher
from hoaconv.units import format_seconds, parse_range
from hoaconv.words import PathLike

__all__ = [
    "chained",
    "load_own_ops",
    "open_others",
    "open_source",
    "spec_behind",
    "teller",
    "warm_up",
]

STILL_SECONDS = 60.0
"""After so long without a slice, a run tells that it waits."""


def open_source(options: Mapping[str, Any]) -> Volume:
    """What ``src`` names, read as ``range``, ``allow_gaps``, ``reduce`` and the like say.

    Raises
    ------
    SpellingError
        If an option can't be had, before any file is looked at.
    SourceError
        If the source can't be found or read.
    """
    return _open(
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
    return {path: _open(path) for path in paths}


def _open(src: PathLike, **options: Any) -> Volume:
    if is_zarr(Path(src)):
        machine.begin_libraries()
    return open_volume(src, **options)


def load_own_ops(module: PathLike | None) -> None:
    """Declare the ops of the user's own module, if there is one.

    Raises
    ------
    SpellingError
        If it is no file that can be read, fails, or declares no op.
    """
    if module is not None:
        load_ops(take_module(module))


def spec_behind(spec: Spec, ops: Iterable[Step]) -> Spec:
    """Return the spec of what ops make of planes of `spec`.

    Raises
    ------
    PlanError
        If an op refuses what it would get.
    """
    for op in ops:
        spec = spec if isinstance(op, Fold) else op.infer(spec)
    return spec


def spec_at(plan: Plan) -> Spec:
    """Return the spec of the planes at a plan's only end.

    Raises
    ------
    PlanError
        If a part refuses what it would get.
    """
    found: dict[int, Spec] = {}
    for node in plan.nodes():
        taken = [found[id(before)] for before in node.inputs]
        if isinstance(node.part, Source):
            found[id(node)] = node.part.spec
        else:
            found[id(node)] = taken[0] if isinstance(node.part, Fold) else node.part.infer(*taken)
    return found[id(plan.ends[0])]


def _for_each_z(volume: Volume, planes: int) -> Source:
    """Return a volume whose planes meet `planes` others: a single plane is given for each."""
    return Repeated(volume, planes) if volume.spec.planes == 1 < planes else volume


def chained(plan: Plan, ops: tuple[Step, ...], others: Mapping[str, Volume]) -> Plan:
    """Return the plan continued with ops, and with the volumes that they take beside its planes.

    Raises
    ------
    SpellingError
        If a file that an op names can't be read.
    PlanError
        If another volume has neither the same shape nor one plane.
    """
    for op in ops:
        if isinstance(op, Zip):
            planes = spec_at(plan).planes
            for path in op.others:
                plan &= Plan.read(_for_each_z(others[path], planes))
            plan |= op.join()
            spec_at(plan)  # raises where shapes differ
        else:
            plan |= op.resolved() if isinstance(op, Op) else cast(Scan, op)  # or another kind
    return plan


def warm_up(planned: Plan, watcher: Watcher) -> None:
    """Load the kernels, or compile them; tell it where that takes long.

    Kernels on disk that can't be read are made anew; where the disk is full they aren't kept.
    """
    if TEMPORARY:
        watcher.note(
            "no folder can be written to keep compiled kernels in; this run compiles them for "
            "itself. Name a folder in NUMBA_CACHE_DIR to keep them"
        )
    before = cache.compiled()
    slow = Timer(1.0, _tell_if_compiling, [watcher, before])
    slow.daemon = True
    slow.start()
    try:
        _warm_in_spite_of_disk(planned, watcher)
    finally:
        slow.cancel()


def _tell_if_compiling(watcher: Watcher, before: int) -> None:
    if cache.compiled() > before:
        kept = "" if TEMPORARY else "; the next run finds them on disk"
        watcher.note(f"compiling kernels{kept}")


def _warm_in_spite_of_disk(planned: Plan, watcher: Watcher) -> None:
    try:
        warm(planned)
    except (HoaconvError, MemoryError):
        raise
    except OSError as error:
        folder = cache.stop_keeping()
        watcher.note(f"compiled kernels can't be kept in {folder}: {error.strerror or error}")
        warm(planned)
    except Exception:  # unpickling what is damaged raises every kind; a fault of ours comes again
        try:
            folder = cache.reset()
        except OSError:
            folder = cache.stop_keeping()
        watcher.note(f"kernels are compiled anew: those in {folder} can't be read")
        warm(planned)


@contextmanager
def teller(watcher: Watcher, spec: Spec, schedule: Schedule) -> Iterator[Callable[[], None]]:
    """Give what tells how far a run is, called for each slice; its seconds begin now.

    Where no slice comes for a minute, another thread tells that.
    """
    voxels, start = spec.plane_shape[0] * spec.plane_shape[1], perf_counter()
    totals = [sweep.planes for sweep in schedule.sweeps]
    ends = list(accumulate(totals))
    done, over = 0, Event()

    def tell() -> None:
        nonlocal done
        sweep = bisect_right(ends, done)
        done += 1
        within = done - (ends[sweep] - totals[sweep])
        seconds, memory = perf_counter() - start, machine.resident()
        at = Place(sweep + 1, len(totals), within, totals[sweep])
        watcher.progress(Progress(done, ends[-1], spec.plane_bytes, voxels, seconds, memory, at))

    def watch() -> None:
        before = done
        while not over.wait(STILL_SECONDS):
            if done == before and done < ends[-1]:
                watcher.note(
                    f"no slice has come for {format_seconds(STILL_SECONDS)}, after {done} of "
                    f"{ends[-1]}: a disk may not answer, or the ops take long; Ctrl-C ends the run"
                )
            before = done

    thread = Thread(target=watch, name="hoaconv-watch", daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        over.set()
        thread.join()
