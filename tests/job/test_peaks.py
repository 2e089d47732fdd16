"""What scalars, reductions and masks hold stays below what was projected; a process each."""

import json
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.platform != "linux", reason="peaks are told by Linux"),
]

CODE = """
import json, sys
import numpy as np
import hoaconv as hc
from hoaconv import ops
from hoaconv.job import execute as running

plain, told = running.run, []


def run(made, *rest):
    outcome = plain(made, *rest)
    told.append((made.projected, outcome.measured, made.limits.budget))
    return outcome


running.run = run
plane = np.random.default_rng(0).integers(0, 60000, (1500, 2000)).astype(sys.argv[1])
volume = hc.open(np.broadcast_to(plane, (40, *plane.shape)))
smooth = volume.gaussian(2)
eval(sys.argv[2]).compute(budget=sys.argv[3], workers=2)
print(json.dumps(told))
"""

CASES = [
    ("uint16", "smooth > ops.otsu(smooth)", "1GiB"),
    ("uint8", "volume > 0.5 * smooth.max() + ops.li(smooth)", "1GiB"),
    ("float32", "smooth.std('z')", "1GiB"),
    ("float64", "volume.std('y')", "1GiB"),
    ("float32", "volume.mean(('z', 'x'))", "400MiB"),
    ("uint16", "smooth.std('z')", "600MiB"),
    ("uint16", "smooth.max() - smooth.min()", "400MiB"),
]


@pytest.mark.parametrize(
    ("dtype", "what", "budget"),
    [*CASES[:2], *(pytest.param(*case, marks=pytest.mark.long) for case in CASES[2:])],
)
def test_measured_is_at_most_projected(dtype, what, budget) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, dtype, what, budget],
        capture_output=True,
        text=True,
        check=True,
    )
    ((projected, measured, allowed),) = json.loads(done.stdout)
    assert measured <= projected <= allowed


MAPPED = """
import sys
import numpy as np
import hoaconv as hc

mapped = np.memmap(sys.argv[1], "uint8", "w+", shape=(200, 1000, 1000))
mapped[:] = 7
mapped.flush()
del mapped
mapped = np.memmap(sys.argv[1], "uint8", "r", shape=(200, 1000, 1000))
made = hc.store({"max": hc.open(mapped).max("z")}).run(workers=2)
assert (made["max"] == 7).all()
print(made.projected, made.measured)
private = np.memmap(sys.argv[1], "uint8", "c", shape=(200, 1000, 1000))
private[3] = 9
assert (hc.open(private).max("z").compute() == 9).all() and (private[3] == 9).all()
"""


def test_pages_of_a_memory_map_are_given_back(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAPPED, tmp_path / "v"], capture_output=True, text=True, check=True
    )
    projected, measured = map(int, done.stdout.split())
    assert measured <= projected
