"""A user's own module adds ops to the catalogue, or is refused with a reason."""

import os
import pickle
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invoking import run
from reading import levels_of
from typer.testing import CliRunner
from whole import allocated, noise, result

import hoaconv
from hoaconv import op
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.catalogue import catalogue, describe, example, lookup, summary, usage
from hoaconv.ops.declare import EXAMPLES, OPS
from hoaconv.ops.kinds import NUMBER, bounded
from hoaconv.ops.own import load_ops
from hoaconv.ops.parameters import Declared
from hoaconv.ops.spelling import parse_op
from hoaconv.terminal.app import app

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
    made = parse_op("local-contrast 2 gain=3")
    assert made.halo == (2, 0, 0)
    assert parse_op(str(made)) == made
    volume = np.random.default_rng(0).random((9, 5, 4)).astype(np.float32)
    out = np.empty((3, 5, 4), np.float32)
    made.apply(volume, (slice(3, 6), slice(0, 5), slice(0, 4)), out)
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


MINE = """
from hoaconv import op
@op("{word}")
def {name}(block, shift: float = {shift}):
    \"\"\"{help}\"\"\"
    return block + shift
"""


def test_an_edited_file_is_loaded_anew_in_one_process(tmp_path) -> None:
    file = tmp_path / "mine.py"
    for word, told in (("mine-a", "One."), ("mine-a", "Two."), ("mine-b", "Six.")):
        file.write_text(MINE.format(word=word, name="mine", shift=len(told), help=told))
        os.utime(file, ns=(1, 1))  # times tell nothing: some file systems keep whole seconds
        load_ops(file)
        load_ops(file)
        assert summary(word) == told
    assert "mine-a" not in OPS


def test_an_edited_file_that_fails_declares_nothing(tmp_path) -> None:
    before = set(OPS)
    load_ops(copied(tmp_path, MINE.format(word="mine-c", name="mine", shift=1, help="One.")))
    with pytest.raises(SpellingError, match="ZeroDivisionError"):
        load_ops(copied(tmp_path, "1 / 0"))
    assert set(OPS) == before
    load_ops(copied(tmp_path, MINE.format(word="mine-c", name="mine", shift=1, help="One.")))
    assert "mine-c" in OPS


def test_two_files_that_declare_one_word_are_both_named(tmp_path) -> None:
    files = [tmp_path / "one.py", tmp_path / "other.py"]
    for file in files:
        file.write_text(MINE.format(word="mine-d", name="mine", shift=1, help="One."))
    load_ops(files[0])
    with pytest.raises(
        SpellingError, match=r"two ops are called mine-d: .*one\.py and .*other\.py"
    ):
        load_ops(files[1])
    load_ops(files[0])
    assert OPS["mine-d"].__module__.startswith("hoaconv_ops_of_one")


def test_a_cell_that_is_run_again_replaces_its_op() -> None:
    for factor in (2, 3):

        @op("mine-e")
        def mine(block, factor: int = factor):
            """Multiply."""
            return block * factor

    assert str(parse_op("mine-e 3")) == "mine-e"


def test_in_a_notebook_a_renamed_function_takes_the_word() -> None:
    def first(block):
        """One."""
        return block

    def second(block):
        """Two."""
        return block

    first.__module__ = second.__module__ = "__main__"
    op("mine-e")(first)
    op("mine-e")(second)
    assert summary("mine-e") == "Two."
    first.__module__ = second.__module__ = __name__
    op("mine-i")(first)
    with pytest.raises(SpellingError, match=r"two ops are called mine-i: .*first of .*second of"):
        op("mine-i")(second)


def volumes():
    shapes = st.tuples(st.integers(1, 20), st.integers(1, 9), st.integers(1, 9))
    return st.tuples(shapes, st.sampled_from(["uint8", "int16", "float32"]), st.integers(0, 99))


@settings(max_examples=30, deadline=None)
@given(volumes(), st.floats(-9, 9, width=32), st.integers(1, 3))
def test_a_function_is_applied_to_blocks_as_to_the_whole_volume(given, scale, workers) -> None:
    load_ops(EXAMPLE)
    volume = noise(*given)
    near = np.pad(volume.astype("float32"), ((1, 1), (0, 0), (0, 0)), mode="edge")
    want = (near[2:] - near[:-2]) * np.float32(scale / 2)
    chain = hoaconv.open(volume) | f"difference {scale!r}"
    np.testing.assert_array_equal(chain.compute(workers=workers), want)


def test_a_function_is_a_word_a_class_and_a_value(tmp_path) -> None:
    load_ops(copied(tmp_path))
    assert usage("difference") == "difference [scale=1]"
    assert example("difference") == "difference"
    (row,) = describe("difference")
    assert (row.kind, row.help) == ("number", "factor of the result")
    made = parse_op("difference scale=2")
    assert made == lookup("difference")(2) == lookup("difference")(scale="2.0")
    assert made.halo == (1, 0, 0)
    assert pickle.loads(pickle.dumps(made)) == made
    again = parse_op(str(made))
    assert (again, hash(again)) == (made, hash(made))


def test_annotations_become_kinds() -> None:
    @op("mine-f", depth=lambda op: (op.radius, 0, op.radius), work=40)
    def mine(
        block,
        radius: int,
        factors: tuple[float, float, float] = 1.0,
        which: Literal["low", "high"] = "low",
        inverted: bool = False,
        name: str = "none",
        share: Annotated[float, bounded(NUMBER, 0, 1), "between 0 and 1"] = 0.5,
    ):
        """Do nothing."""
        assert (factors, which, inverted, name, share) == ((1, 2, 3), "high", True, "a", 0.25)
        return block

    assert example("mine-f") == "mine-f RADIUS"
    assert describe("mine-f")[-1].help == "between 0 and 1"
    made = parse_op("mine-f 2 1,2,3 high yes name=a share=0.25")
    assert made == mine(2, (1, 2, 3), "high", inverted=True, name="a", share=0.25)
    assert parse_op(str(made)) == made
    assert made.halo == (2, 0, 2)
    assert made.work(Spec((3, 4, 5), np.dtype("uint8"))) == 40 * 60
    block = np.ones((1, 2, 3), np.uint8)
    np.testing.assert_array_equal(result(made, block), block)
    for text, words in (
        ("mine-f 2 share=2", "share should be a number in 0..1"),
        ("mine-f 2.5", "radius should be a whole number"),
        ("mine-f 2 which=mid", "which should be one of low, high"),
        ("mine-f 2 inverted=maybe", "inverted should be true or false"),
        ("mine-f -1", "depth should be a whole number, 0 or more"),
    ):
        with pytest.raises(SpellingError, match=words):
            _ = parse_op(text).halo


def unannotated(block, a): ...
def reserved(block, halo: float): ...
def wrong_default(block, a: int = 1.5): ...
def any_number(block, *a: float): ...
def without_name(block, a: float, /): ...
def without_block(): ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (unannotated, "the parameter a needs an annotation"),
        (reserved, "the parameter halo can't have this name, which every op has"),
        (wrong_default, "a should be a whole number, not its default 1.5"),
        (any_number, "the parameter a should be one that is passed by its name"),
        (without_name, "the parameter a should be one that is passed by its name"),
        (without_block, "should take a block, and takes nothing"),
    ],
)
def test_a_function_whose_parameters_can_not_be_spelled_is_refused(function, words) -> None:
    with pytest.raises(SpellingError, match=words):
        op("mine-g")(function)
    assert "mine-g" not in OPS


def test_parameters_that_must_be_given_come_first() -> None:
    @op("mine-j")
    def mine(block, a: int = 1, *, b: int):
        """Add."""
        return block + np.int16(a + b)

    made = parse_op("mine-j 5")
    assert made == mine(b=5)
    volume = np.ones((1, 1, 1), np.int16)
    assert result(made, volume).item() == 7


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dtype": "float16"}, "mine-g: dtype should be one of uint8, .* not 'float16'"),
        ({"depth": (1, 2)}, "mine-g: depth should be one whole number, or three"),
        ({"depth": -1}, "mine-g: depth should be a whole number, 0 or more, not -1"),
        ({"work": -1}, "mine-g: work should be a whole number, 0 or more, not -1"),
    ],
)
def test_what_is_declared_of_a_function_is_checked(given, words) -> None:
    with pytest.raises(SpellingError, match=words):
        op("mine-g", **given)(lambda block: block)
    assert "mine-g" not in OPS


def test_what_can_not_be_declared_is_refused() -> None:
    class Plain(Declared):
        size: int

    for arguments, declared, words in (
        ({"word": "mine g"}, unannotated, "name should be a word without spaces"),
        ({"word": "mine-g"}, Plain, "declare size as a parameter"),
        ({"word": "mine-g", "depth": 1}, Plain, "for a function; a class defines"),
        ({"word": "mine-g"}, int, "should derive from Declared and Op"),
        ({"word": unannotated}, Plain, r"write @op\('name'\): an op's name should be a word"),
    ):
        with pytest.raises(SpellingError, match=words):
            op(**arguments)(declared)
    assert "mine-g" not in OPS


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda block: block[1:], r"returned the shape \(1, 3, 4\) for a block of \(2, 3, 4\)"),
        (lambda block: block * 1.5, "returned float64, but the op's result is uint8"),
    ],
)
def test_a_result_that_does_not_fit_is_refused(made, words) -> None:
    @op("mine-h")
    def mine(block):
        """Fail."""
        return made(block)

    with pytest.raises(PlanError, match=f"mine-h: the function {words}"):
        result(mine(), np.ones((2, 3, 4), np.uint8))


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 40, 300)])
def test_a_function_s_memory_is_declared(tmp_path, shape) -> None:
    load_ops(copied(tmp_path))
    made, volume = parse_op("difference"), np.ones(shape, np.uint16)
    out, core = np.empty(shape, np.float32), (slice(None),) * 3
    declared = made.work(Spec(shape, volume.dtype))
    assert allocated(partial(made.apply, volume, core, out)) <= declared + 8192


def test_the_command_line_lists_and_runs_it(tiffs, volume, out, tmp_path) -> None:
    module = ["--ops-module", copied(tmp_path)]
    listed = CliRunner().invoke(app, ["ops", *map(str, module)])
    assert "Compute the central difference along z" in listed.stdout
    done = run(tiffs, out, *module, "--ops", "difference 2 | local-contrast 1", "--chunks", "32")
    assert done.exit_code == 0, done.output
    load_ops(copied(tmp_path))
    made = hoaconv.open(volume) | "difference 2" | "local-contrast 1"
    np.testing.assert_array_equal(levels_of(out)[0], made.compute())
