"""The pool: everything is done once, errors arrive, nothing is kept, nothing hangs."""

import threading
import weakref
from time import sleep

import pytest

from hoaconv.engine.pool import Pool


class Thing:
    pass


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_map_does_every_item_once(workers: int) -> None:
    done: list[int] = []
    with Pool(workers) as pool:
        for n in (0, 1, 2, 50):
            done.clear()
            pool.map("work", done.append, range(n))
            assert sorted(done) == list(range(n))


def test_map_does_not_wait_behind_what_was_submitted() -> None:
    """Both workers are stuck in slow work; the caller does the urgent work itself."""
    release = threading.Event()
    with Pool(2) as pool:
        slow = [pool.submit("slow", release.wait, 30) for _ in range(4)]
        done: list[int] = []
        pool.map("urgent", done.append, range(8))
        assert sorted(done) == list(range(8))
        assert not any(future.done() for future in slow)
        release.set()


def test_map_raises_the_first_error_and_skips_the_rest() -> None:
    done: list[int] = []

    def work(i: int) -> None:
        if i == 3:
            raise ValueError("three")
        done.append(i)

    with Pool(1) as pool:
        with pytest.raises(ValueError, match="three"):
            pool.map("work", work, range(1000))
        assert len(done) < 999
        pool.map("work", done.append, [7])  # it goes on working
        assert done[-1] == 7


def test_submit_gives_results_and_errors() -> None:
    with Pool(2) as pool:
        assert pool.submit("work", pow, 2, 5).result(10) == 32
        with pytest.raises(ZeroDivisionError):
            pool.submit("work", divmod, 1, 0).result(10)


def test_nothing_is_kept_of_what_was_done() -> None:
    with Pool(3) as pool:
        thing = Thing()
        watched = weakref.ref(thing)
        pool.submit("work", id, thing).result(10)
        pool.map("work", lambda i, thing=thing: sleep(0.001), range(6))
        del thing
        pool.submit("work", int).result(10)
        sleep(0.05)  # the worker's frame ends just after the result is set
        assert watched() is None


def test_close_drops_what_has_not_begun_and_ends_the_threads() -> None:
    pool = Pool(1)
    begun, release = threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        release.wait(30)

    running = pool.submit("work", first)
    waiting = pool.submit("work", int)
    begun.wait(10)
    threading.Timer(0.05, release.set).start()
    pool.close()
    assert running.done()
    assert waiting.cancelled()
    assert not any(t.name.startswith("hoaconv-") for t in threading.enumerate() if t.is_alive())
    with pytest.raises(RuntimeError):
        pool.submit("work", int)


def test_busy_adds_up_by_label() -> None:
    with Pool(2) as pool:
        pool.map("nap", lambda _: sleep(0.02), range(4))
    assert pool.busy["nap"] >= 0.08


def test_waiting_adds_up_by_what_for() -> None:
    with Pool(2) as pool:
        pool.submit("nap", sleep, 0.05).result(10)
        done = pool.submit("nothing", int)
        sleep(0.05)
        done.result(10)
    assert pool.waited["nap"] >= 0.03
    assert "nothing" not in pool.waited
    assert pool.waited["work"] >= 0.05
