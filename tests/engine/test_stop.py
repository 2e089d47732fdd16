"""A wish to stop is raised once, in the main thread, wherever somebody waits."""

import threading
from concurrent.futures import Future
from time import monotonic

import pytest

from hoaconv.engine import stop
from hoaconv.engine.pool import Pool


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
