"""Sources: planes are decoded ahead, each where it is to stay if that can be."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from hoaconv.engine import machine
from hoaconv.engine.bands import bands
from hoaconv.engine.contract import Source, Use
from hoaconv.engine.pool import in_threads
from hoaconv.engine.spec import Plane, Spec
from hoaconv.engine.stages.kind import Kind, Share
from hoaconv.engine.stages.running import Planes, Running
from hoaconv.engine.stages.stage import At
from hoaconv.engine.stages.taps import Tap
from hoaconv.engine.stages.trial import TooLargeError, Trial, Tried, rows_of, timed
from hoaconv.engine.stream import ahead, initialize, map

__all__ = ["Decode", "SourceKind"]

Decode = Callable[[Plane], None]
"""Decodes one plane into an array (y, x)."""

LEAST = 3
"""Slices that a trial decodes: of the beginning, the middle, the end."""

DECODING_BYTES = 1 << 30
"""Bytes that slices which a trial decodes at once may take, if they are more than one."""


class SourceKind(Kind[Source]):
    """Answers for sources."""

    name = Source.kind
    reads = True
    is_value = True  # sources that were opened by the same address are read once

    def infer(self, part: Source, inputs: tuple[Spec, ...]) -> Spec:  # noqa: ARG002
        """Return the source's own spec."""
        return part.spec

    def uses(self, at: At[Source], share: Share) -> Iterator[Use]:
        """Count planes ahead and kept, and what decoders hold."""
        source, spec, who = at.part, at.given, str(at.part)
        decoders = min(share.workers, share.ahead + 1, spec.planes)
        planes = min(share.ahead + share.kept, spec.planes - min(share.lent, spec.planes))
        begun = min(share.ahead, spec.planes)
        yield Use(who, f"{planes} planes: {begun} ahead", planes * spec.plane_bytes)
        yield Use(who, f"decoding in {decoders} workers", decoders * source.scratch())
        freed = source.freed_bytes(decoders) if share.reuses_freed else 0
        if freed:
            yield Use(who, "freed by decoders, kept for the next", freed)

    def decoder_bytes(self, part: Source) -> int:
        """Return the bytes that a worker holds while it reads a plane, besides the plane."""
        return part.scratch()

    def decodes_slowly(self, part: Source) -> bool:
        """Return whether the source decodes slowly."""
        return part.decodes_slowly

    def bytes_read(self, part: Source) -> int:
        """Return the bytes that reading every plane once takes from disk."""
        return part.stored_bytes

    def begin(self, at: At[Source], running: Running) -> Iterator[Decode]:  # noqa: ARG002
        """Return for each plane, in order, how to decode it: to be called once, or dropped."""
        return (partial(at.part.read, z) for z in count())

    def together(self, source: Source) -> int:  # noqa: ARG002 - one by one
        """Return how many planes are decoded at once: to read one takes as long as all."""
        return 1

    def lower(self, at: At[Source], inputs: list[Planes], running: Running) -> Planes:  # noqa: ARG002
        """Return its planes, decoded ahead and seen by the folds that take any order."""
        begun = initialize(at.given.planes, _Reading(at, running, self.begin(at, running)))
        return map(partial(_seen, running.on_plane), ahead(begun, running.ahead))

    def trial(self, at: At[Source], planes: list[Plane], trial: Trial) -> Tried:  # noqa: ARG002
        """Decode a few planes; what waits in scratch is taken to cost as much as packing it."""
        if at.stage.after:
            return trial.held[at.stage.after]
        source = at.part
        if id(source) not in trial.decoded:
            wanted = min(trial.workers, trial.ahead + 1)  # as in the run, and as is counted
            at_once = min(wanted, _possible(source))
            trial.decoded[id(source)] = _decode_some(source, at_once, self.together(source))
        return trial.decoded[id(source)]


class _Reading:
    """Begins to decode plane after plane of a source."""

    def __init__(self, at: At[Source], running: Running, how: Iterator[Decode]) -> None:
        self._spec, self._running, self._how = at.part.spec, running, how
        self._writer = running.writers.get(running.lenders.get(at.i, -1))
        early = running.early.get(at.i, ())
        self._taps = tuple(running.taps[j] for j in early)
        self._label = ", ".join(["decode", *(str(tap) for tap in self._taps)])
        self._rows = bands(self._spec.plane_shape[0], at.stage.rows)

    def __call__(self, z: int) -> Any:
        out = self._writer.lend(z) if self._writer else None
        if out is None:
            out = self._running.buffers.take(self._spec.plane_shape, self._spec.dtype)
        show = partial(_show, self._taps, self._rows, z)
        return self._running.pool.submit(self._label, _decode, next(self._how), out, show)


def _decode(decode: Decode, out: Plane, show: Callable[[Plane], None]) -> Plane:
    decode(out)
    show(out)
    return out


def _show(taps: Sequence[Tap], rows: Sequence[slice], z: int, plane: Plane) -> None:
    for band in rows:
        for tap in taps:
            tap.see(z, plane, band)


def _seen(on_plane: Callable[[], None], plane: Plane) -> Plane:
    on_plane()
    return plane


def _possible(source: Source) -> int:
    """Return the planes that this machine can decode at once: runs are planned on smaller ones."""
    each = source.spec.plane_bytes + source.scratch()
    free = machine.memory_limit() - machine.resident()
    if each > max(free, DECODING_BYTES):
        raise TooLargeError
    return max(1, min(machine.cpus(), free // (2 * each), DECODING_BYTES // each))


def _decode_some(source: Source, at_once: int, together: int) -> Tried:
    """Return the seconds of one thread for a plane while so many decode; the most varied plane."""
    if together > 1:
        at_once = 1  # planes of one layer have all threads
    count = min(-(-LEAST // at_once) * at_once, source.spec.planes)
    places = np.linspace(0, source.spec.planes - 1, count).astype(int).tolist()
    tried = in_threads("decode", partial(_read_rows, source), places, at_once)
    seconds = sum(took for took, _ in tried) / len(tried)
    with np.errstate(all="ignore"):  # infinities among the voxels
        most = max((plane for _, plane in tried), key=lambda plane: float(plane.std()))
    return seconds / together, most


def _read_rows(source: Source, z: int) -> Tried:
    """Return the seconds to decode a plane, and its first rows, of which several are kept."""
    spec = source.spec
    seconds, plane = timed(spec.plane_shape, spec.dtype, partial(source.read, z))
    rows = rows_of(spec)
    return seconds, plane if rows == len(plane) else plane[:rows].copy()
