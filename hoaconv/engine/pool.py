"""The one pool of threads that does all the work of a run.

There are two kinds of work. `submit` starts work whose result is needed later, such as decoding
ahead. `map` does work that is needed now: its items come before all submitted work, and the caller
works on them too, so that it never waits for a decode that takes seconds.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_futures
from functools import partial
from threading import Condition, Lock, Thread
from time import monotonic, perf_counter
from typing import Any, TypeVar

from hoaconv.engine import stop

__all__ = ["PATIENCE", "Pool", "in_threads"]

PATIENCE = 5.0
"""Seconds that a failed run waits for threads that are reading slices."""

T = TypeVar("T")
U = TypeVar("U")


class Pool:
    """A pool of `workers` threads; the calling thread works too while it waits in `map`.

    Attributes
    ----------
    busy
        Seconds of work done, by label, summed over threads.
    waited
        Seconds of waiting. Each label holds the time that callers waited for submitted work of
        this label; ``work`` holds the time that workers waited for work, summed over threads.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.busy: dict[str, float] = {}
        self.waited: dict[str, float] = {}
        self._now: deque[Callable[[], None]] = deque()
        self._later: deque[Callable[[], None]] = deque()
        self._futures: set[Future[Any]] = set()
        self._changed = Condition()
        self._closed = False
        self._threads = [
            Thread(target=self._work, name=f"hoaconv-{i}", daemon=True) for i in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, label: str, function: Callable[..., T], *args: Any) -> "Future[T]":
        """Start ``function(*args)`` when a worker has nothing more urgent to do; return its future.

        Raises
        ------
        RuntimeError
            If the pool is closed.
        """
        future: Future[T] = _Awaited(self, label)
        with self._changed:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._futures.add(future)
            self._later.append(partial(self._fulfil, future, label, function, args))
            self._changed.notify()
        future.add_done_callback(self._futures.discard)
        return future

    def map(self, label: str, function: Callable[[T], object], items: Iterable[T]) -> None:
        """Call `function` with every item, on all threads and this one; return when all is done.

        The first exception is raised here, after the calls under way have ended. The main thread
        checks for a request to stop before each item; KeyboardInterrupt is then raised here.
        """
        batch = _Batch(function, items)
        work = partial(self.timed, label, batch.work)
        with self._changed:
            self._now.extend([work] * min(self.workers, batch.left - 1))
            self._changed.notify_all()
        work()
        batch.wait()

    def close(self, patience: float | None = None) -> None:
        """Drop work that hasn't begun, wait for work that has, end the threads.

        Parameters
        ----------
        patience
            Seconds to wait at most, for all threads together. A thread that still waits for a disk
            is then abandoned. None, the default, is no limit.
        """
        with self._changed:
            self._closed = True
            self._now.clear()
            self._later.clear()
            self._changed.notify_all()
        for future in list(self._futures):
            future.cancel()
        end = None if patience is None else monotonic() + patience
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - monotonic()))

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        # This is a separate function, so that no local variable keeps a task's planes alive.
        with self._changed:
            while not (self._now or self._later):
                if self._closed:
                    return False
                start = perf_counter()
                self._changed.wait()
                self._add(self.waited, "work", start)
            task = (self._now or self._later).popleft()
        task()
        return True

    def timed(self, label: str, function: Callable[[], T]) -> T:
        """Call `function` in this thread; add its seconds to ``busy[label]``; return its result."""
        start = perf_counter()
        try:
            return function()
        finally:
            with self._changed:
                self._add(self.busy, label, start)

    def note_wait(self, label: str, start: float) -> None:
        """Add the seconds since `start` to ``waited[label]``."""
        with self._changed:
            self._add(self.waited, label, start)

    @staticmethod
    def _add(seconds: dict[str, float], label: str, start: float) -> None:
        seconds[label] = seconds.get(label, 0.0) + perf_counter() - start

    def _fulfil(
        self, future: "Future[T]", label: str, function: Callable[..., T], args: tuple[Any, ...]
    ) -> None:
        if future.set_running_or_notify_cancel():
            self.timed(label, partial(_settle, future, function, args))


def in_threads(
    label: str, function: Callable[[T], U], items: Iterable[T], threads: int
) -> "list[U]":
    """Call `function` with every item in new threads; return the results in order.

    A request to stop takes effect meanwhile. A thread that waits for a disk is then abandoned; the
    pool of `concurrent.futures` would wait for it for ever.
    """
    pool = Pool(threads)
    try:
        begun = [pool.submit(label, function, item) for item in items]
        results = []
        for future in begun:
            stop.raise_if_asked()  # needed here, since a finished result isn't waited for
            results.append(future.result())
    except BaseException:
        pool.close(PATIENCE)
        raise
    pool.close()
    return results


class _Awaited(Future[T]):
    """A future that reports to its pool how long callers waited for it."""

    def __init__(self, pool: Pool, label: str) -> None:
        super().__init__()
        self._pool, self._label = pool, label

    def result(self, timeout: float | None = None) -> T:
        if self.done():
            return super().result(timeout)
        start = perf_counter()
        try:
            if timeout is None:
                stop.wait(self._is_done)
            return super().result(timeout)
        finally:
            self._pool.note_wait(self._label, start)

    def _is_done(self, seconds: float) -> bool:
        return bool(wait_for_futures([self], seconds).done)


def _settle(future: "Future[T]", function: Callable[..., T], args: tuple[Any, ...]) -> None:
    try:
        future.set_result(function(*args))
    except BaseException as error:  # any exception is raised again in the thread that waits
        future.set_exception(error)


class _Batch:
    """A batch of items that several threads process together."""

    def __init__(self, function: Callable[[T], object], items: Iterable[T]) -> None:
        self._function: Callable[[Any], object] | None = function
        self._items: deque[Any] = deque(items)
        self._error: BaseException | None = None
        self._lock = Lock()
        self._ended = Condition(self._lock)
        self._running = 0

    @property
    def left(self) -> int:
        return len(self._items)

    def work(self) -> None:
        """Process items until none is left."""
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        with self._lock:
            if stop.is_due():  # true only in the main thread, which works on its own batches only
                self._items.clear()
            if not self._items or self._function is None:
                return False
            item, function = self._items.popleft(), self._function
            self._running += 1
        error = _error_of(function, item)
        del function, item  # the thread that waits may need their memory at once
        with self._lock:
            self._running -= 1
            if error is not None:
                self._error = self._error or error
                self._items.clear()
            if not self._running:
                self._ended.notify_all()
        return True

    def wait(self) -> None:
        """Wait for the other threads; raise the first error, or KeyboardInterrupt if asked to stop.

        Drop the function, since a late thread may still refer to this batch.
        """
        with self._lock:
            while self._running:
                self._ended.wait(stop.POLL_SECONDS)
            self._function = None
        if self._error is not None:
            raise self._error
        stop.raise_if_asked()


def _error_of(function: Callable[[Any], object], item: Any) -> BaseException | None:
    try:
        function(item)
    except BaseException as error:  # raised again in the thread that started the batch
        return error
    return None
