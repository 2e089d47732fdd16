"""The one pool of threads that does all the work of a run.

Two kinds of work. `submit` starts something that is wanted later: decoding ahead. `map` is
wanted now: its items go before everything submitted, and the caller works on them too, so
that it never waits behind a decode that takes seconds.
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
"""Seconds that work which has failed waits for slices that are being read."""

T = TypeVar("T")
U = TypeVar("U")


class Pool:
    """`workers` threads, and the caller's own while it waits in `map`.

    Attributes
    ----------
    busy
        Seconds of work done, by label, summed over threads.
    waited
        Seconds for which somebody waited: the one who asked, for work that he had submitted, by
        its label; the workers, all together, for ``work``.
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
        """Start ``function(*args)`` when a worker has nothing more urgent to do."""
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

        The first exception is raised here, after the calls under way have ended; so is a wish to
        stop, which the main thread asks for before each item.
        """
        batch = _Batch(function, items)
        work = partial(self.timed, label, batch.work)
        with self._changed:
            self._now.extend([work] * min(self.workers, batch.left - 1))
            self._changed.notify_all()
        work()
        batch.wait()

    def close(self, patience: float | None = None) -> None:
        """Drop what hasn't begun, wait for what has, end the threads.

        Parameters
        ----------
        patience
            Seconds to wait at the most: a thread that reads from a disk that doesn't answer is
            left behind. By default there is no limit.
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
        # A function of its own: a local that outlived the task would keep its planes alive.
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
        """Call `function` here and now; add the seconds it took to ``busy[label]``."""
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
    """Call `function` with every item, on so many threads of its own; the results, in order.

    A wish to stop is heard meanwhile. A thread that reads from a disk that doesn't answer is left
    behind then: the pool of `concurrent.futures` would wait for it for ever.
    """
    pool = Pool(threads)
    try:
        begun = [pool.submit(label, function, item) for item in items]
        results = []
        for future in begun:
            stop.raise_if_asked()  # results that are there already are not waited for
            results.append(future.result())
    except BaseException:
        pool.close(PATIENCE)
        raise
    pool.close()
    return results


class _Awaited(Future[T]):
    """A future that tells its pool how long it was waited for."""

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
    except BaseException as error:  # whatever it is, it belongs to the one who waits
        future.set_exception(error)


class _Batch:
    """Items that several threads work off together."""

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
        """Take items until none is left."""
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        with self._lock:
            if stop.is_due():  # in the main thread alone, whose own batch this is
                self._items.clear()
            if not self._items or self._function is None:
                return False
            item, function = self._items.popleft(), self._function
            self._running += 1
        error = _error_of(function, item)
        del function, item  # whoever waits may want their memory at once
        with self._lock:
            self._running -= 1
            if error is not None:
                self._error = self._error or error
                self._items.clear()
            if not self._running:
                self._ended.notify_all()
        return True

    def wait(self) -> None:
        """Wait for the others; forget the function, since a late helper may still hold this."""
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
    except BaseException as error:  # raised again where the batch was asked for
        return error
    return None
