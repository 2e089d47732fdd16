"""A user's own module adds ops to the catalogue, or is refused with a reason."""

import os
from pathlib import Path

import numpy as np
import pytest

from hoaconv.errors import SpellingError
from hoaconv.ops.catalogue import catalogue, summary, usage
from hoaconv.ops.declare import EXAMPLES, OPS
from hoaconv.ops.own import load_ops
from hoaconv.ops.spelling import parse_op

pytestmark = pytest.mark.one_python

EXAMPLE = Path(__file__).parents[2] / "examples" / "your_own_op.py"


@pytest.fixture(autouse=True)
def _catalogue_as_it_was():
    before, examples = dict(OPS), dict(EXAMPLES)
    yield
    for kept, was in ((OPS, before), (EXAMPLES, examples)):
        kept.clear()
        kept.update(was)


def copied(folder: Path, text: str = "") -> Path:
    """A module of its own, since a file is loaded once a process."""
    file = folder / "mine.py"
    file.write_text(text or EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    return file


def test_the_example_is_an_op_like_any_other(tmp_path) -> None:
    load_ops(copied(tmp_path))
    load_ops(copied(tmp_path))
    assert usage("local-contrast") == "local-contrast RADIUS [gain=1]"
    op = parse_op("local-contrast 2 gain=3")
    assert op.halo == (2, 0, 0)
    assert parse_op(str(op)) == op
    volume = np.random.default_rng(0).random((9, 5, 4)).astype(np.float32)
    out = np.empty((3, 5, 4), np.float32)
    op.apply(volume, (slice(3, 6), slice(0, 5), slice(0, 4)), out)
    near = np.stack([volume[z - 2 : z + 3].mean(axis=0) for z in (3, 4, 5)])
    np.testing.assert_allclose(out, (volume[3:6] - near) * 3, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "declares no op"),
        ("import nothing_of_this_name", "ModuleNotFoundError.*line 1"),
        ("def f(:", "SyntaxError"),
        ("\n1 / 0", "ZeroDivisionError.*line 2"),
    ],
)
def test_what_is_no_module_of_ops_is_refused(tmp_path, text, words) -> None:
    before = set(catalogue())
    with pytest.raises(SpellingError, match=words):
        load_ops(copied(tmp_path, text))
    assert set(catalogue()) == before


def test_a_word_that_is_taken_is_refused_and_nothing_stays(tmp_path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace('op("local-contrast"', 'op("clip"')
    with pytest.raises(SpellingError, match="two ops are called clip"):
        load_ops(copied(tmp_path, text))
    with pytest.raises(SpellingError, match="no file"):
        load_ops(tmp_path / "none.py")


def test_an_edited_file_is_loaded_again(tmp_path) -> None:
    file = tmp_path / "mine.py"
    text = """
from hoaconv.engine.contract import Op
from hoaconv.ops.declare import op
from hoaconv.ops.parameters import Declared
@op("{word}")
class Mine(Declared, Op):
    \"\"\"{help}\"\"\"
    def apply(self, block, core, out):
        out[...] = block[core]
"""
    for word, told in (("mine-a", "One."), ("mine-a", "Two."), ("mine-b", "Six.")):
        file.write_text(text.format(word=word, help=told))
        os.utime(file, ns=(1, hash((word, told)) % 10**9))
        load_ops(file)
        load_ops(file)
        assert summary(word) == told
    assert "mine-a" not in OPS
    OPS.pop("mine-b")
