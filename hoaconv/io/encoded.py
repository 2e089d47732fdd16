"""Writers whose planes are encoded whole, several at once, in the pool."""

from abc import abstractmethod
from collections import deque
from concurrent.futures import Future
from errno import ENOSPC
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Use, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError, StoreError
from hoaconv.io.output import OutputSink
from hoaconv.io.plane_encoder import PlaneEncoder

__all__ = ["EncodingSink", "EncodingWriter", "not_written"]

_TRIED = 1 << 20
"""Voxels of a plane that a trial encodes, at most."""


class EncodingSink(OutputSink):
    """A sink of planes that are encoded whole. A subclass is a frozen dataclass.

    Attributes
    ----------
    encoder
        The format.
    """

    encoder: PlaneEncoder

    def infer(self, spec: Spec) -> Spec:
        """Return the spec as it is. Raises PlanError if the format doesn't hold such planes."""
        refusal = self.encoder.refusal(spec)
        if refusal:
            raise PlanError(refusal)
        return spec

    def notes(self, spec: Spec) -> tuple[str, ...]:
        """Return remarks on what the format doesn't tell."""
        return tuple(self.encoder.notes(spec))

    @property
    def encoding(self) -> float:
        """Nominal nanoseconds in which a thread encodes a byte of a plane."""
        return self.encoder.encoding

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:
        """Count the planes that wait, that which comes, and what the encoders hold."""
        waiting = self.at_once(spec, economy)
        planes = min(waiting + 1, spec.planes)
        encoders = min(workers, waiting)
        return (
            Use(str(self), f"{planes} planes to encode", planes * spec.plane_bytes),
            Use(str(self), f"encoding {encoders} planes", encoders * self.encoder.work(spec)),
        )

    def at_once(self, spec: Spec, economy: Economy) -> int:
        """Return the planes that wait or are encoded, at most."""
        return min(economy.encoders, spec.planes)

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:  # noqa: ARG002 - the contract
        """Return 0: all that is held is held all the time."""
        return 0

    def raw_bytes(self, spec: Spec) -> int:
        """Return the bytes of all planes, and of headers."""
        return spec.nbytes + 1024 * self.files(spec)

    def trial(self, spec: Spec, plane: Plane) -> float:
        """Return the seconds that a thread takes to encode such a plane."""
        return self._try(spec, plane)[0]

    def packed_bytes(self, spec: Spec, plane: Plane) -> int:
        """Return the estimated bytes of all files, from a part of a plane."""
        return self._try(spec, plane)[1] * spec.planes

    def _try(self, spec: Spec, plane: Plane) -> tuple[float, int]:
        """Return the seconds and bytes of a plane, from its first rows."""
        rows = max(1, min(len(plane), _TRIED // plane.shape[1]))
        part = np.ascontiguousarray(plane[:rows])
        small = Spec((1, *part.shape), spec.dtype, spec.geometry)
        out, start = BytesIO(), perf_counter()
        self.encoder.encode(part, small, out)
        share = spec.plane_shape[0] / rows
        return (perf_counter() - start) * share, int(out.tell() * share)

    def warm(self, spec: Spec) -> None:
        """Do nothing: there are no kernels to compile."""


class EncodingWriter(Writer):
    """Collects planes, and has each encoded in the pool while the next ones come.

    A subclass says what encodes a plane (`encode`, in any thread, in any order), and what is done
    with the result (`store`, in order, in the thread that runs the sweep).
    """

    def __init__(
        self, sink: EncodingSink, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy
    ) -> None:
        self._spec, self._pool, self._buffers = spec, pool, buffers
        self._at_once = sink.at_once(spec, economy)
        self._plane: Plane | None = None
        self._lock = Lock()
        self._begun: deque[tuple[int, Future[Any]]] = deque()
        self.planes = 0
        """Planes that have come."""

    @abstractmethod
    def encode(self, z: int, plane: Plane) -> Any:
        """Encode plane `z`; the plane isn't changed any more."""

    @abstractmethod
    def store(self, z: int, encoded: Any) -> None:
        """Take what `encode` has returned for plane `z`."""

    def take(self, plane: Plane, rows: slice) -> None:
        """Copy a band of the next plane."""
        self._next()[rows] = plane[rows]

    def _next(self) -> Plane:
        """Return the place of the plane that comes, which the first band takes."""
        with self._lock:
            if self._plane is None:
                self._plane = self._buffers.take(self._spec.plane_shape, self._spec.dtype)
            return self._plane

    def advance(self) -> None:
        """Have the plane encoded; wait first if as many are under way as may be."""
        while self._begun and (len(self._begun) >= self._at_once or self._begun[0][1].done()):
            self._finish_one()
        z, plane, self._plane = self.planes, self._next(), None
        self.planes += 1
        encode = partial(self.encode, z, plane)
        del plane
        self._begun.append((z, self._pool.submit("encode", encode)))

    def _finish_one(self) -> None:
        z, future = self._begun.popleft()
        self.store(z, future.result())

    def finish(self) -> None:
        """Wait for all planes. Raises PlanError if one hasn't come."""
        while self._begun:
            self._finish_one()
        if self.planes != self._spec.planes:
            raise PlanError(f"{self.planes} planes came of {self._spec.planes}")


def not_written(path: Path, error: Exception) -> StoreError:
    """Return the error for a file that can't be written."""
    if isinstance(error, OSError) and error.errno == ENOSPC:
        reason = "the disk is full; free some space, or write elsewhere"
    elif "requested and" in str(error):  # NumPy's words: the system's own aren't told
        reason = "only a part was; the disk may be full: free some space, or write elsewhere"
    else:
        reason = getattr(error, "strerror", None) or str(error)
    return StoreError(f"{path} can't be written: {reason}")
