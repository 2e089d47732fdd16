"""Messages name options as Python writes them, and the command line as the command line does."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from invoking import refused, run

import hoaconv as hc
from hoaconv import ops
from hoaconv.job.watching import Watcher
from hoaconv.ops.catalogue import OPS
from hoaconv.terminal.words import NAMES, spoken

pytestmark = pytest.mark.one_python

ROOT = Path(hc.__file__).parent
OF_THE_SHELL = re.compile(r"--[a-z]")
MARKED = re.compile(r"`([\w.]+)[^`]*`")
PAGES = {"ops/page.py", "job/stub.py", "job/methods.py"}
"""Modules whose text becomes a file or a docstring, and no message."""


def texts(path):
    """The texts of a module that aren't docstrings; what an f-string puts in is ``...``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for part in n.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = node.values
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "..." for p in parts)
        elif isinstance(node, ast.Constant) and id(node) not in alone | inner:
            yield str(node.value)


BELOW = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if path.relative_to(ROOT).parts[0] != "terminal" and str(path.relative_to(ROOT)) not in PAGES
]


@pytest.mark.parametrize("path", BELOW, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_message_below_the_terminal_has_options_of_the_command_line(path):
    for text in texts(path):
        assert not OF_THE_SHELL.search(text), text
        for marked in MARKED.finditer(text):
            assert marked[1] in {*NAMES, *OPS, "hoaconv.ops", "..."}, text
            assert marked[1] not in NAMES or spoken(marked[0]).startswith("--"), text


class Notes(Watcher):
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


def array(*shape):
    return hc.open(np.ones(shape or (8, 16, 16), "uint16"))


REFUSED = {
    "budget": lambda folder: array(64, 512, 512).compute(budget="1MB"),
    "scalar": lambda folder: array(64, 512, 512).gaussian(3).mean().compute(budget="1MB"),
    "exists": lambda folder: (array() | hc.OmeZarr(folder / "there.zarr")).run(),
    "unit": lambda folder: hc.open(np.ones((2, 2, 2), "uint8"), unit="mm"),
    "reduce": lambda folder: hc.open(folder / "stack", reduce=2),
    "decoder": lambda folder: hc.open(folder / "there.zarr", decoder="nvimgcodec"),
    "names": lambda folder: hc.open(folder / "names"),
    "gaps": lambda folder: hc.open(folder / "gaps"),
    "op": lambda folder: array() | "nosuch 1",
    "label": lambda folder: array() | "label",
    "labels": lambda folder: hc.stack_to_omezarr(folder / "stack", folder / "a", label=("x",)),
    "shards": lambda folder: array() | hc.OmeZarr("x.zarr", ngff="0.4", shards=64),
    "zstd": lambda folder: (
        array() | hc.OmeZarr(folder / "x.zarr", ngff="0.4", compressor="zstd:3")
    ).run(),
    "levels": lambda folder: hc.stack_to_omezarr(
        folder / "stack", folder / "a.zarr", levels=3, label={"x": "crop 0:1,0:1,0:1"}
    ),
    "module": lambda folder: hc.stack_to_omezarr(folder / "stack", "b.zarr", ops_module=folder),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, volume):

    made = tmp_path_factory.mktemp("words")
    for name, files in {
        "stack": ["a1.tif", "a2.tif", "a3.tif"],
        "names": ["one.tif", "two.tif"],
        "gaps": ["a1.tif", "a2.tif", "a4.tif"],
    }.items():
        (made / name).mkdir()
        for file in files:
            tifffile.imwrite(made / name / file, volume[0])
    (array() | hc.OmeZarr(made / "there.zarr")).run(progress=False)
    return made


@pytest.mark.parametrize("case", REFUSED)
def test_an_error_in_python_has_no_option_of_the_command_line(case, folder):
    with pytest.raises(hc.HoaconvError) as error:
        REFUSED[case](folder)
    assert not OF_THE_SHELL.search(str(error.value))


def test_notes_and_reports_in_python_have_none_either(folder):
    notes = Notes()
    volume = array()
    job = hc.store({folder / "mask.zarr": volume | "threshold 3", "mip": volume.max("z")})
    report = job.run(progress=notes)
    assert any("`voxel_size`" in text for text in (*notes.texts, *volume.notes))
    told = [*notes.texts, *volume.notes, str(report), str(ops.stats(volume).compute())]
    assert not any(OF_THE_SHELL.search(text) for text in told)


def test_the_command_line_speaks_its_own_language(folder):
    stack, out = folder / "stack", folder / "cli.zarr"
    refused(run(stack, out, "--budget", "1MB"), 4, "--budget ")
    refused(run(folder / "gaps", out), 3, "--allow-gaps")
    refused(run(stack, folder / "there.zarr"), 5, "replace it with --overwrite")
    refused(run(stack, out, "--unit", "mm"), 2, "--voxel-size")
    refused(run(stack, out, "--ops", "nosuch"), 2, "'hoaconv ops' lists them")
    refused(run(stack, out, "--ops", "label"), 2, '--label NAME="threshold otsu"')
    made = run(stack, out, "--ops", "threshold 3")
    assert "set it with --voxel-size" in made.stderr
    assert "--downsample mode keeps 0 and 1" in made.stderr
    assert "`" not in made.stderr + made.stdout


def test_only_options_are_spoken():
    assert spoken('`budget="8GiB"` of `other` at `budget') == "--budget 8GiB of `other` at `budget"
    assert spoken({"a": ["`levels`", 3, None]}) == {"a": ["--levels", 3, None]}
