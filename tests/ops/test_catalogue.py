"""One declaration feeds the help."""

import pytest

from hoaconv import ops
from hoaconv.engine.contract import Step
from hoaconv.errors import SpellingError
from hoaconv.ops.catalogue import (
    ELSEWHERE,
    Parameter,
    catalogue,
    describe,
    example,
    lookup,
    summary,
)
from hoaconv.ops.declare import OPS, op
from hoaconv.ops.kinds import NUMBER
from hoaconv.ops.parameters import Declared, param, parameters
from hoaconv.ops.smooth import Gaussian

pytestmark = pytest.mark.one_python


def test_the_catalogue_is_in_order_and_can_not_be_changed():
    assert list(catalogue()) == sorted(catalogue())
    assert all(issubclass(op, Step) and op.word == word for word, op in catalogue().items())
    with pytest.raises(TypeError):
        catalogue()["blur"] = Gaussian


def test_a_word_is_looked_up():
    assert lookup("gaussian") is Gaussian
    with pytest.raises(SpellingError, match="did you mean 'threshold'"):
        lookup("treshold")


@pytest.mark.parametrize("word", catalogue())
def test_every_op_and_parameter_has_help(word):
    assert summary(word).endswith(".")
    assert [row.name for row in describe(word)] == [f.name for f in parameters(lookup(word))]
    assert all(row.help and row.kind for row in describe(word))
    assert example(word).startswith(word)


def test_a_row_has_name_kind_default_and_help():
    rows = describe("gaussian")
    assert [row.name for row in rows] == ["sigma", "mode", "cval", "truncate"]
    assert rows[3] == Parameter("truncate", "number", "4", "radius of the weights in sigmas")
    assert rows[0].default == ""


def test_a_word_belongs_to_one_op():
    class Other(Declared):
        pass

    with pytest.raises(
        SpellingError, match=r"two ops are called gaussian: Gaussian of .*smooth\.py"
    ):
        op("gaussian")(Other)
    assert lookup("gaussian") is Gaussian
    assert param(NUMBER, "some").metadata["help"] == "some"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("blur", "'gaussian'"),
        ("otsu", "'threshold otsu'"),
        ("downsample", "'bin'"),
        ("label", "`label={"),
        ("gaussian(1.5)", "'gaussian 1.5'"),
        ("gausian", "'gaussian'"),
        ("white_tophat", "'tophat'"),
        ("average", "'uniform'"),
        ("variance", "'std 3 | square'"),
        ("pow", "'gamma'"),
        ("find_edges", "'gradient-magnitude'"),
        ("threshold_otsu", "'threshold otsu'"),
    ],
)
def test_an_unknown_op_gets_its_hint_alone(word, hint) -> None:
    with pytest.raises(SpellingError) as refused:
        lookup(word)
    assert hint in str(refused.value)
    assert len(str(refused.value)) < 120


def test_what_others_call_an_op_is_written_as_one_that_there_is() -> None:
    for word, spelled in ELSEWHERE.items():
        assert spelled.split()[0] in OPS
        assert word not in OPS


def test_every_op_is_imported_from_one_place() -> None:
    assert {op.__name__: op for op in OPS.values() if op.__module__.startswith("hoaconv.")} == {
        name: getattr(ops, name) for name in ops.MODULES
    }
    with pytest.raises(AttributeError, match="Gausian"):
        ops.Gausian  # noqa: B018 - asking is the test
