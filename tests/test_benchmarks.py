"""The benchmarks are run by hand; what can be held without timing anything is held here."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).parents[1]

EXAMPLES = """
import doctest
from tests.benchmarks import groups, page

assert doctest.testmod(groups) == (0, 1)
assert doctest.testmod(page) == (0, 1)
names = [job.name for group in groups.GROUPS for job in group.jobs]
assert len(names) == len(set(names))
assert all(other in names for group in groups.GROUPS for job in group.jobs for other in job.against)
page.check(groups.GROUPS, "small")
"""

SUMS = """
import sys
from pathlib import Path
from tests.benchmarks.measure import measure

child = "open('out', 'wb').write(bytes(3_000_000))"
parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
folder = Path(sys.argv[1])
used = measure([sys.executable, "-c", parent], folder, folder / "log")
assert used.exit == 0 and not used.starved and used.peak_one <= used.peak
assert used.written is None or 3_000_000 <= used.written < 4_000_000, used.written
"""


def run(code: str, *arguments: str) -> None:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_group_has_a_place_on_the_page_and_every_job_a_name_of_its_own():
    run(EXAMPLES)


def test_bytes_of_children_that_have_ended_are_counted(tmp_path):
    run(SUMS, str(tmp_path))
