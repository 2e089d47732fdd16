"""What isn't a plan is refused where it is written, with what to write instead."""

import numpy as np
import pytest
from in_memory import Add, InMemory, Keep

from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.errors import PlanError
from hoaconv.ops.smooth import Gaussian

SOURCE = InMemory(np.zeros((3, 4, 5), np.int32))
PLAN = Plan.read(SOURCE) | Add(1)

WRONG = {
    "an array read": (lambda: Plan.read(SOURCE.volume), r"not a numpy\.ndarray; .*hoaconv\.open"),
    "an op read": (lambda: Plan.read(Add(1)), r"not an? in_memory\.Add"),
    "a text": (lambda: PLAN | "gaussian 1.5", r"a str can't follow .*Gaussian\(1\.5\)"),
    "a function": (lambda: PLAN | (lambda block: block), r"a function can't follow .* an op"),
    "a class": (lambda: PLAN | Gaussian, r"can't follow .*write an op"),
    "a plan": (lambda: PLAN | PLAN, r"hoaconv\.engine\.plan\.Plan can't follow .*one & other"),
    "a source": (lambda: PLAN | SOURCE, r"begins a plan: write Plan\.read"),
    "a plan run": (
        lambda: run(PLAN),
        r"not a hoaconv\.engine\.plan\.Plan; .*run\(schedule\(plan, limits\)\)",
    ),
    "a source scheduled": (lambda: schedule(SOURCE, Limits(1, 1)), r"Plan\.read\(source\) \| sink"),
    "a text as budget": (lambda: Limits("2GiB", 1), r"2 << 30, not '2GiB'; .*parse_bytes"),
    "half a byte": (lambda: Limits(0.5, 1), "whole number of bytes"),
    "no workers": (lambda: Limits(1, 0), "from 1 on, not 0"),
    "a text as workers": (lambda: Limits(1, "two"), "from 1 on, not 'two'"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_to_write_is_told(wrong) -> None:
    write, words = WRONG[wrong]
    with pytest.raises(PlanError, match=words):
        write()


def test_numbers_of_numpy_are_numbers() -> None:
    made = schedule(PLAN | Keep(), Limits(np.int64(1 << 40), np.int32(2)))
    assert made.limits.workers == 2
