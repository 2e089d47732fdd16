"""One declaration feeds the help."""

import pytest

from hoaconv.engine.contract import Step
from hoaconv.errors import SpellingError
from hoaconv.ops.catalogue import Parameter, catalogue, describe, example, lookup, summary
from hoaconv.ops.declare import NUMBER, param, register
from hoaconv.ops.smooth import Gaussian


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
    assert describe(word)
    assert all(row.help and row.kind for row in describe(word))
    assert example(word).startswith(word)


def test_a_row_has_name_kind_default_and_help():
    rows = describe("gaussian")
    assert [row.name for row in rows] == ["sigma", "mode", "cval", "truncate"]
    assert rows[3] == Parameter("truncate", "number", "4", "how many sigmas the weights reach")
    assert rows[0].default == ""


def test_a_word_belongs_to_one_op():
    with pytest.raises(ValueError, match="two ops are called gaussian"):
        register("gaussian 1")(Gaussian)
    assert param(NUMBER, "some").metadata["help"] == "some"
