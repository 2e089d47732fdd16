"""Arrays whose memory is reused as soon as nothing refers to them.

A new plane of 100 MB costs 25 000 page faults; a reused one costs none. Since memory returns to the
pool when the last view dies, the memory in use is exactly that of the planes that streams hold.
"""

import weakref
from collections import deque
from collections.abc import Callable
from math import prod
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["Buffers", "array_in"]


def array_in(
    memory: memoryview,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    freed: Callable[[Any], None],
    which: object,
) -> np.ndarray[Any, Any]:
    """Return an array in the first bytes of `memory`.

    Parameters
    ----------
    freed
        Called with `which` when the last view of the array dies, in whatever thread that is.
    """
    # In numpy, a view of a view refers to the array that owns the memory. Here a memoryview
    # owns it, so every view refers to `root`, and `root` lives as long as any of them.
    root = np.frombuffer(memory, dtype, prod(shape))
    weakref.finalize(root, freed, which).atexit = False
    return root.reshape(shape)


class Buffers:
    """A pool of memory for uninitialised arrays, whose memory returns to it automatically.

    Free memory is kept by size. `held` is the sum over sizes of the most bytes in use at once.
    """

    def __init__(self) -> None:
        self.held = 0
        self._free: dict[int, deque[memoryview]] = {}
        self._lock = Lock()

    def take(
        self, shape: tuple[int, ...], dtype: DTypeLike, room: tuple[int, ...] = ()
    ) -> np.ndarray[Any, Any]:
        """Return a C-contiguous array of this shape and dtype with arbitrary contents.

        Its memory returns to the pool when its last view dies. Arrays of different shapes can
        reuse the same memory if each gets the shape of the largest as `room`.
        """
        dtype = np.dtype(dtype)
        nbytes = prod(room or shape) * dtype.itemsize
        free = self._free.setdefault(nbytes, deque())
        try:
            memory = free.pop()
        except IndexError:
            memory = self._allocate(nbytes)
        return array_in(memory, shape, dtype, free.append, memory)

    def clear(self) -> None:
        """Release all memory that no array uses."""
        self._free.clear()

    def _allocate(self, nbytes: int) -> memoryview:
        with self._lock:
            self.held += nbytes
        return np.empty(nbytes, np.uint8).data
