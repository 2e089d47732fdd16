"""Where libraries' threads would hang or abort the process, work isn't begun."""

import multiprocessing
import subprocess
import sys
import threading

import numpy as np
import pytest
import tifffile

import hoaconv
from hoaconv.engine import machine
from hoaconv.errors import BudgetError, PlanError


@pytest.fixture
def stack(tmp_path):
    (tmp_path / "in").mkdir()
    for z in range(3):
        tifffile.imwrite(tmp_path / "in" / f"s_{z}.tif", np.full((5, 6), z, np.uint8))
    return tmp_path / "in"


def converted(src, dst, answers):
    try:
        hoaconv.stack_to_omezarr(src, dst)
        answers.put("done")
    except PlanError as error:
        answers.put(str(error))


@pytest.mark.skipif(sys.platform != "linux", reason="fork is Linux' own way")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_after_a_conversion_is_told_instead_of_hanging(stack, tmp_path) -> None:
    hoaconv.stack_to_omezarr(stack, tmp_path / "a.zarr")
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=converted, args=(stack, tmp_path / "b.zarr", answers))
    child.start()
    assert "spawn" in answers.get(timeout=60)
    child.join(60)
    assert child.exitcode == 0


FORKED = """
import os, signal, sys, hoaconv
from hoaconv.errors import PlanError, SourceError
src, dst, before = sys.argv[1:]
if before == "refused":
    try:
        hoaconv.stack_to_omezarr("nosuch", dst)
    except SourceError:
        pass
elif before == "stats":
    hoaconv.stats(src)
elif before == "plan":
    hoaconv.plan(src, dst)
child = os.fork()
if not child:
    signal.alarm(60)
    try:
        hoaconv.stack_to_omezarr(src, dst)
    except PlanError:
        os._exit(4)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="fork is Linux' own way")
@pytest.mark.parametrize(
    ("before", "code"), [("nothing", 0), ("refused", 0), ("stats", 0), ("plan", 4)]
)
def test_a_process_is_refused_only_where_threads_are_missing(stack, tmp_path, before, code) -> None:
    words = [sys.executable, "-c", FORKED, str(stack), str(tmp_path / "a.zarr"), before]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr


def test_too_few_threads_are_refused_in_words(stack, tmp_path, monkeypatch) -> None:
    began, start = [], threading.Thread.start

    def limited(self):
        if len(began) >= 7:
            raise RuntimeError("can't start new thread")
        began.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(PlanError, match=r"can start 7 more threads.*ulimit -u"):
        hoaconv.stack_to_omezarr(stack, tmp_path / "a.zarr")
    monkeypatch.undo()
    assert not (tmp_path / "a.zarr").exists()


def test_too_little_memory_is_refused_in_words(stack, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(machine, "_rlimit_free", lambda: [100 << 20])
    with pytest.raises(PlanError, match=r"100 MiB more memory.*ulimit"):
        hoaconv.stats(stack)


def test_a_run_beyond_the_limits_is_refused_whatever_the_budget(
    stack, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(machine, "_rlimit_free", lambda: [machine.LEAST_FREE + 1])
    with pytest.raises(BudgetError, match=r"ulimit.*raise the limit, or lower `budget`"):
        hoaconv.stack_to_omezarr(stack, tmp_path / "a.zarr", budget="64GB")
    assert not (tmp_path / "a.zarr").exists()


def test_the_default_budget_leaves_what_libraries_take(monkeypatch) -> None:
    monkeypatch.setattr(machine, "_rlimit_free", lambda: [machine.LEAST_FREE + (1 << 20)])
    assert machine.memory_limit() < machine.resident() + (3 << 20)
    machine.check_room(machine.resident())
    with pytest.raises(BudgetError):
        machine.check_room(machine.resident() + (64 << 20))


LIMITED = """
import os, resource, sys
kind, nbytes = getattr(resource, sys.argv[1]), int(sys.argv[2]) << 20
resource.setrlimit(kind, (nbytes, nbytes))
os.execv(sys.executable, [sys.executable, "-m", "hoaconv", "ops"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -d counts all memory on Linux alone")
@pytest.mark.parametrize(
    ("kind", "mib"), [("RLIMIT_DATA", 60), ("RLIMIT_DATA", 110), ("RLIMIT_AS", 300)]
)
def test_memory_in_which_libraries_cannot_load_is_told_in_words(kind, mib) -> None:
    words = [sys.executable, "-c", LIMITED, kind, str(mib)]
    told = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 4, told.stderr
    assert told.stderr.startswith("hoaconv: ulimit -")
    assert "Traceback" not in told.stderr


FIRST = """
import sys, threading
from hoaconv.engine import machine
order = []
set_option, start = machine._mallopt, threading.Thread.start
machine._mallopt = lambda option, value: (order.append((option, value)), set_option(option, value))
threading.Thread.start = lambda thread: (order.append("thread"), start(thread))[1]
sys.argv = ["hoaconv", "plan", sys.argv[1]]
from hoaconv.terminal.app import main
try:
    main()
finally:
    print("FIRST", order[0] == (machine._M_ARENA_MAX, 1))
"""


def test_the_command_line_shares_an_arena_before_any_thread_begins(stack) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST, stack], capture_output=True, text=True, check=True
    )
    assert "FIRST True" in done.stdout
