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


@pytest.mark.parametrize(("slices", "row"), [("jp2", "| JP2, lossy"), ("tiff", "| TIFF, un")])
def test_readme_names_the_fastest_and_the_leanest_peer(slices, row):
    """Those of the measured table: what a reader may compare with, not what looks best."""
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    plain = page.partition("<!-- begin plain -->")[2].partition("<!-- end plain -->")[0]
    cells = [line.strip("| ").split("|") for line in plain.splitlines() if line.startswith("| ")]
    figures = {
        job.strip().removesuffix(f"-{slices}"): (float(own.split()[0]), float(peak.split()[0]))
        for job, _, own, _, peak, *_ in (row for row in cells if len(row) == 7)
        if job.strip().endswith(f"-{slices}") and "/" not in job
    }
    ours, peers = figures.pop("hoaconv"), {n: f for n, f in figures.items() if n != "floor"}
    fastest, leanest = (min(peers, key=lambda name, i=i: peers[name][i]) for i in (0, 1))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = next(line for line in readme.splitlines() if line.startswith(row))
    assert f"{ours[0]:.1f} s" in told
    assert f"{fastest} {peers[fastest][0]:.1f} s" in told
    assert leanest in told
    assert f"{peers[leanest][1] / 1000:.2f} GB" in told
