"""Signals are obeyed whatever the main thread does: computes, or prints to nobody."""

import signal
import subprocess
import sys
import time

import pytest
from invoking import looks_complete

KERNEL = """
import numba
from hoaconv.terminal import signals
signals.STUCK_SECONDS = 1.0

@numba.njit(nogil=True)
def spin(n):
    x = 0.0
    for i in range(n):
        x += 1 / (i + 1.0)
    return x

spin(1)
signals.listen()
signals.writes()
print("in the kernel", flush=True)
spin(10**14)
"""


@pytest.fixture
def kernel():
    """A process whose main thread is in a kernel that never ends."""
    words = [sys.executable, "-c", KERNEL]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert "in the kernel" in process.stdout.readline()
        yield process
        process.kill()


def test_a_signal_ends_a_run_that_is_in_a_kernel(kernel):
    kernel.send_signal(signal.SIGINT)
    assert kernel.wait(timeout=10) == 130
    told = kernel.stderr.read()
    assert told == (
        "hoaconv: interrupted: did not stop within 1 s, so the process was ended; an unfinished "
        "output keeps its mark\n"
    )


def test_signals_at_once_count_as_one_in_a_kernel_too(kernel):
    kernel.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    kernel.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert kernel.poll() is None
    assert kernel.wait(timeout=10) == 143


TWICE = KERNEL.replace("STUCK_SECONDS = 1.0", "STUCK_SECONDS = 100.0")


def test_a_second_signal_a_second_later_ends_a_kernel_at_once():
    with subprocess.Popen(
        [sys.executable, "-c", TWICE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(1.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 130
        assert "again: ended at once; an unfinished output keeps its mark" in process.stderr.read()


UNREAD = """
import sys
from hoaconv.terminal import app as cli, signals
signals.STUCK_SECONDS = 1.0
def endless(report):
    print("done", file=sys.stderr, flush=True)
    print("x" * 10_000_000)
cli.show = endless
sys.argv[0] = "hoaconv"
cli.main()
"""


def test_a_complete_run_whose_summary_nobody_reads_says_that_it_is_complete(tiffs, out):
    words = [sys.executable, "-c", UNREAD, "stack-to-omezarr", str(tiffs), str(out)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        next(line for line in process.stderr if "done" in line)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        told = process.stderr.read()
    assert told.endswith("so the process was ended; the output is complete\n")
    assert looks_complete(out)


PLANNING = """
import sys, time
from hoaconv import api
from hoaconv.terminal import app as cli, signals
signals.STUCK_SECONDS = 1.0
def stuck(*_, **__):
    print("planning", file=sys.stderr, flush=True)
    while True:
        try:
            time.sleep(100)
        except BaseException:
            pass
import hoaconv.job.conversion
hoaconv.job.conversion.conversion = stuck
sys.argv[0] = "hoaconv"
cli.main()
"""


def test_a_plan_that_is_ended_says_nothing_of_an_output(tiffs):
    words = [sys.executable, "-c", PLANNING, "plan", str(tiffs)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stderr if "planning" in line)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert process.stderr.read().endswith("so the process was ended\n")
