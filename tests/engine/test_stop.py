"""A wish to stop is raised once, in the main thread, wherever somebody waits."""

import threading
from concurrent.futures import Future
from time import monotonic, sleep

import pytest

from hoaconv.engine import pool as pools
from hoaconv.engine import stop
from hoaconv.engine.pool import Pool, in_threads


@pytest.fixture(autouse=True)
def anew():
    stop.forget()
    yield
    stop.forget()


def test_it_is_raised_once_so_that_nothing_disturbs_cleaning_up() -> None:
    stop.raise_if_asked()
    assert stop.ask(2) is None
    assert stop.ask(15) is not None
    assert stop.asked() == 2
    with pytest.raises(KeyboardInterrupt):
        stop.raise_if_asked()
    stop.raise_if_asked()
    assert stop.is_raised()


def test_other_threads_go_on() -> None:
    stop.ask(2)
    seen: list[BaseException] = []

    def other() -> None:
        try:
            stop.raise_if_asked()
        except BaseException as error:
            seen.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert not seen
    assert not stop.is_raised()


def test_a_wait_for_work_that_never_ends_is_left() -> None:
    never = threading.Event()
    pool = Pool(1)
    waited: Future[bool] = pool.submit("decode", never.wait)
    threading.Timer(0.1, stop.ask, [2]).start()
    with pytest.raises(KeyboardInterrupt):
        waited.result()
    began = monotonic()
    pool.close(patience=0.1)
    assert monotonic() - began < 5
    never.set()
    pool.close()


def test_it_is_asked_for_between_bands() -> None:
    done: list[int] = []

    def band(i: int) -> None:
        done.append(i)
        if len(done) == 1:
            stop.ask(2)
        sleep(0.02)

    with Pool(1) as pool, pytest.raises(KeyboardInterrupt):
        pool.map("gaussian", band, range(1000))
    assert len(done) < 100


def test_threads_that_are_stuck_are_left_behind(monkeypatch) -> None:
    monkeypatch.setattr(pools, "PATIENCE", 0.1)
    never = threading.Event()
    threading.Timer(0.1, stop.ask, [2]).start()
    with pytest.raises(KeyboardInterrupt):
        in_threads("headers", lambda _: never.wait(), range(3), 2)
    never.set()


def test_what_hasnt_begun_is_dropped_when_asked_to_stop() -> None:
    begun: list[int] = []
    go_on = threading.Event()

    def work(i: int) -> None:
        begun.append(i)
        stop.ask(2)
        go_on.wait(0.5)

    with pytest.raises(KeyboardInterrupt):
        in_threads("write", work, range(1000), 2)
    assert len(begun) < 100


def test_results_of_threads_come_in_order_and_errors_are_raised() -> None:
    assert in_threads("headers", lambda i: i * i, range(100), 8) == [i * i for i in range(100)]
    assert in_threads("headers", str, (), 8) == []
    with pytest.raises(ZeroDivisionError):
        in_threads("headers", lambda i: 1 // i, (1, 0, 1), 2)
