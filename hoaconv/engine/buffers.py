"""Arrays whose memory is used again as soon as nobody refers to them.

A fresh plane of 100 MB costs 25 000 page faults; a used one costs none. And since memory
comes back when the last view dies, what is held is what the streams hold, to the byte.
"""

import weakref
from collections import deque
from math import prod
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["Buffers"]


class Buffers:
    """Hands out uninitialised arrays and takes their memory back by itself.

    Memory is kept by size; `held` is what the pool has ever needed at once, size by size.
    """

    def __init__(self) -> None:
        self.held = 0
        self._free: dict[int, deque[memoryview]] = {}
        self._lock = Lock()

    def take(
        self, shape: tuple[int, ...], dtype: DTypeLike, room: tuple[int, ...] = ()
    ) -> np.ndarray[Any, Any]:
        """Return a C-contiguous array with arbitrary contents; its last view returns the memory.

        Arrays of varying shapes share memory if each is given the `room` of the largest.
        """
        dtype = np.dtype(dtype)
        nbytes = prod(room or shape) * dtype.itemsize
        free = self._free.setdefault(nbytes, deque())
        try:
            memory = free.pop()
        except IndexError:
            memory = self._allocate(nbytes)
        # numpy lets a view of a view refer to the array that owns the memory. Here that is a
        # memoryview, so every view refers to `root`, and `root` lives as long as any of them.
        root = np.frombuffer(memory, dtype, prod(shape))
        weakref.finalize(root, free.append, memory).atexit = False
        return root.reshape(shape)

    def clear(self) -> None:
        """Let go of all memory that nobody uses."""
        self._free.clear()

    def _allocate(self, nbytes: int) -> memoryview:
        with self._lock:
            self.held += nbytes
        return np.empty(nbytes, np.uint8).data
