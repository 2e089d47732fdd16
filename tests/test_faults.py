"""The first of the seeded faults, in every group; ``python -m tests.faults`` goes on."""

import os
from time import sleep

import pytest
from faults.driver import drive, table
from faults.groups import GROUPS
from faults.trials import Group, Result, Skipped, Unexpected

pytestmark = pytest.mark.one_python

SEED = 12
QUICK = {"inputs": 65, "names": 12, "changing": 15}
SLOW = {
    "ops": (0, 1, 2, 5, 6),
    "signals": (0,),
    "disks": (0, 1, 5, 6, 8, 9, 10, 11),
    "two runs": (0,),
    "resources": (0, 4),
}
"""Those that start processes, or compile kernels."""

TRIES = [(name, k) for name, count in QUICK.items() for k in range(count)]
LONG = [(name, k) for name, numbers in SLOW.items() for k in numbers]


@pytest.mark.skipif(os.name != "posix", reason="the driver is for POSIX")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(pytest.param(n, k, id=f"{n} {k}") for n, k in TRIES),
        *(pytest.param(n, k, id=f"{n} {k}", marks=pytest.mark.long) for n, k in LONG),
    ],
)
def test_right_voxels_or_one_error_in_words(tmp_path, name, number):
    try:
        GROUPS[name].attempt(SEED, number, tmp_path)
    except Skipped as why:
        pytest.skip(str(why))


def test_a_try_is_the_same_each_time(tmp_path):
    drawn = []
    group = Group("some", {"a": lambda rng, _: drawn.append(rng.random()), "b": lambda *_: None})
    for number in (0, 2, 0):
        group.attempt(3, number, tmp_path)
    assert drawn[0] == drawn[2] != drawn[1]
    assert [group.kind(number) for number in range(3)] == ["a", "b", "a"]


def test_the_group_that_has_had_the_least_time_is_next():
    slow = Group("slow", {"sleeps": lambda *_: sleep(0.2)})
    quick = Group("quick", {"nothing": lambda *_: None})
    told = []
    results = drive([slow, quick], seed=1, minutes=0.5 / 60, tell=told.append)
    assert told == results
    assert [result.group for result in results[:2]] == ["slow", "quick"]
    assert sum(result.group == "quick" for result in results) > 10
    slept = [result.number for result in results if result.group == "slow"]
    assert slept == list(range(len(slept)))
    assert len(slept) > 1


def test_what_is_not_as_expected_is_told_beneath_the_table(tmp_path):
    def bad(*_):
        raise Unexpected("it hangs")

    def impossible(*_):
        raise Skipped("no such signal")

    def crash(*_):
        raise ZeroDivisionError("by 0")

    group = Group("some", {"bad": bad, "none": impossible, "crash": crash, "good": lambda *_: None})
    results = [group.result(7, number, tmp_path) for number in range(4)]
    assert all(isinstance(result, Result) for result in results)
    told = table(results)
    assert "| some | bad | 1 | 0 | 1 |" in told
    assert "| some | none (SKIPPED 1: no such signal) | 1 | 0 | 0 |" in told
    assert "| some | good | 1 | 1 | 0 |" in told
    assert "4 tries, 2 not as expected" in told
    assert "--seed 7 --only 'some' --number 0 (bad): it hangs" in told
    assert "ZeroDivisionError: by 0" in told
