"""What this process may use."""

import os
import platform
import subprocess
import sys

import numpy as np
import psutil
import pytest

from hoaconv.engine import machine


def test_cpus_and_memory_are_those_of_this_machine_or_fewer() -> None:
    assert 1 <= machine.cpus() <= (os.cpu_count() or 1)
    assert machine.resident() < machine.memory_limit() <= psutil.virtual_memory().total * 1.01


@pytest.mark.parametrize(
    ("files", "cpus", "free"),
    [
        ({"a/cpu.max": "150000 100000", "a/memory.max": "max"}, [2], []),
        ({"a/cpu.max": "max 100000", "memory.max": "10000", "a/memory.max": "50"}, [], [50, 10000]),
        (
            {
                "a/memory.max": "5000",
                "a/memory.current": "3000",
                "a/memory.stat": "anon 1\ninactive_file 1200",
            },
            [],
            [3200],
        ),
        ({"cpu/a/cpu.cfs_quota_us": "50000", "cpu/a/cpu.cfs_period_us": "100000"}, [1], []),
        ({"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, [], []),
        ({"memory/a/memory.limit_in_bytes": "9223372036854771712"}, [], []),
        (
            {"memory/a/memory.limit_in_bytes": "900", "memory/a/memory.usage_in_bytes": "1000"},
            [],
            [0],
        ),
        ({}, [], []),
    ],
)
def test_cgroup_limits_are_read(tmp_path, monkeypatch, files, cpus, free) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    folders = [tmp_path / "a", tmp_path, tmp_path / "cpu/a", tmp_path / "memory/a"]
    monkeypatch.setattr(machine, "_cgroup_folders", lambda: folders)
    assert machine._cgroup_cpus() == cpus
    assert machine._cgroup_free() == free


@pytest.mark.parametrize("exact", [True, False])
def test_peak_sees_memory_that_is_gone_again(monkeypatch, exact: bool) -> None:
    if not exact:
        monkeypatch.setattr(machine, "_reset_high_water", lambda: False)
    with machine.Peak() as small:
        pass
    with machine.Peak() as large:
        block = np.ones(200_000_000, np.uint8)
        for _ in range(8):
            block += 1  # long enough for the thread that looks every 20 ms
        del block
    assert large.nbytes >= small.nbytes + 150_000_000
    with machine.Peak() as after:
        pass
    assert after.nbytes < large.nbytes - 100_000_000


FAULTS = """
from ctypes import CDLL, c_int, c_size_t, c_void_p
from resource import RUSAGE_SELF, getrusage
from hoaconv.engine.machine import LARGEST_KEPT, reuse_freed, tune_malloc, trim_malloc

libc = CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = c_void_p, [c_size_t]
libc.memset.argtypes, libc.free.argtypes = [c_void_p, c_int, c_size_t], [c_void_p]

def faults(size):
    before = getrusage(RUSAGE_SELF).ru_minflt
    for _ in range(10):
        blocks = [libc.malloc(size) for _ in range(3)]
        for block in blocks:
            libc.memset(block, 1, size)
        for block in blocks:
            libc.free(block)
    return getrusage(RUSAGE_SELF).ru_minflt - before

def both():
    told = faults(LARGEST_KEPT // 4), faults(LARGEST_KEPT + 1)
    trim_malloc()
    return told

tune_malloc()
print(*both())
for large in (False, True):
    with reuse_freed(large=large):
        print(*both())
print(*both())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a matter of glibc's malloc")
def test_what_is_freed_is_mapped_once_while_it_is_reused() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, check=True)
    counts = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    (small_before, large_before), kept, kept_whole, (_, large_after) = counts
    assert kept[0] < small_before / 4
    assert kept[1] > large_before / 2
    assert kept_whole[0] < small_before / 4
    assert kept_whole[1] < large_before / 4
    assert large_after > large_before / 2
