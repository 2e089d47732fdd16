"""Scans: planes go by one after the other, and come back once they are decided."""

from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from time import perf_counter

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Scan, Use
from hoaconv.engine.spec import Plane, Spec
from hoaconv.engine.stages.kind import Kind, Share
from hoaconv.engine.stages.memory import output
from hoaconv.engine.stages.running import Planes, Running
from hoaconv.engine.stages.stage import At, Counts
from hoaconv.engine.stages.trial import Trial, Tried, in_steps, rows_of
from hoaconv.engine.stream import map

__all__ = ["ScanKind"]


class ScanKind(Kind[Scan]):
    """Answers for scans."""

    name = Scan.kind
    is_value = True

    def infer(self, part: Scan, inputs: tuple[Spec, ...]) -> Spec:
        """Return the scan's result."""
        return part.infer(*inputs)

    def is_local(self, part: Scan, spec: Spec) -> bool:  # noqa: ARG002 - of any input
        """Return False: a plane may depend on all others."""
        return False

    def needed(self, at: At[Scan], results: Counts) -> Counts:
        """Return what is taken when the results are decided, at the latest."""
        return np.minimum(results + at.part.delay(at.taken), at.taken.planes)

    def taken(self, at: At[Scan], results: Counts) -> Counts:  # noqa: ARG002 - of any scan
        """Return as many: a plane may be decided as soon as it comes."""
        return results

    def uses(self, at: At[Scan], share: Share) -> tuple[Use, ...]:
        """Count planes of output, and what waits in the scanner."""
        waiting = f"objects under way, up to {at.part.delay(at.taken)} planes"
        held = Use(str(at.part), waiting, at.part.state_bytes(at.taken))
        return (output(at, share.kept), held)

    def lower(self, at: At[Scan], inputs: list[Planes], running: Running) -> Planes:
        """Return the planes that one scanner decides, in the thread that runs the sweep."""
        return _Follow(at, running).all(inputs[0])

    def trial(self, at: At[Scan], planes: list[Plane], trial: Trial) -> Tried:  # noqa: ARG002
        """Try a volume of one plane, whose result is another volume's any plane."""
        most = min(rows_of(at.given), len(planes[0]))
        seconds, made = in_steps(most, 1, partial(_rows, at, planes[0]))
        return seconds * at.given.plane_shape[0] / most, made

    def warm(self, part: Scan, inputs: tuple[Spec, ...]) -> None:
        """Compile the scan's kernels."""
        part.warm(inputs[0])


class _Follow:
    """One scan of all planes."""

    def __init__(self, at: At[Scan], running: Running) -> None:
        self._timed = partial(running.pool.timed, str(at.part))
        self._scanner = at.part.open(at.taken, running.buffers)

    def all(self, planes: Planes) -> Planes:
        yield from chain.from_iterable(map(self._take, planes))
        yield from self._give(self._timed(self._scanner.end))

    def _take(self, plane: Plane) -> Planes:
        return self._give(self._timed(partial(self._scanner.take, plane)))

    def _give(self, decided: Iterator[Plane]) -> Planes:
        """Give the same planes; tell the pool the time in which they are made."""
        made: list[Plane] = []
        while True:
            self._timed(partial(made.extend, islice(decided, 1)))
            if not made:
                return
            yield made.pop()


def _rows(at: At[Scan], plane: Plane, rows: int) -> Tried:
    thin = Spec((1, rows, at.taken.shape[2]), at.taken.dtype)
    scanner = at.part.open(thin, Buffers())
    start = perf_counter()
    (made,) = (*scanner.take(plane[:rows]), *scanner.end())
    return perf_counter() - start, made
