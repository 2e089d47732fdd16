"""Options are declared once: verbs, the command line and kernels agree with the declarations."""

from dataclasses import fields
from inspect import Parameter, signature

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hoaconv as hc
from hoaconv import api
from hoaconv.errors import SpellingError
from hoaconv.job.declared import MAX_CELL, METHODS, options_of
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.options import Reading, Running
from hoaconv.job.output import Output
from hoaconv.kernels import downsample
from hoaconv.terminal.verbs import GROUPS


@pytest.mark.parametrize("verb", ["stack_to_omezarr", "plan", "stats"])
def test_a_verb_has_the_options_that_are_declared_with_their_defaults(verb) -> None:
    declared = {
        f.name: f.default for group in GROUPS[verb] for f in fields(group) if "option" in f.metadata
    }
    taken = {
        name: p.default
        for name, p in signature(getattr(api, verb)).parameters.items()
        if p.kind is Parameter.KEYWORD_ONLY and name != "watcher"
    }
    assert taken == declared


def test_an_option_is_declared_in_one_group_of_a_verb() -> None:
    for groups in GROUPS.values():
        outputs = [group for group in groups if issubclass(group, Output)]
        names = [name for group in groups for name in options_of(group) if group not in outputs]
        # Several kinds of output may have one option, such as `overwrite` and `chunks`.
        names += {name for group in outputs for name in options_of(group)}
        assert len(names) == len(set(names))


def test_methods_and_cells_are_those_of_the_kernels() -> None:
    assert {*downsample.METHODS, "gaussian"} == set(METHODS)  # a filter is no kernel of cells
    assert downsample.MAX_CELL == MAX_CELL


@given(chunks=st.one_of(st.integers(1, 99), st.tuples(*[st.integers(1, 99)] * 3)))
def test_equal_options_are_equal_however_they_are_written(chunks) -> None:
    text = ",".join(map(str, chunks)) if isinstance(chunks, tuple) else str(chunks)
    one = OmeZarr("o.zarr", chunks=chunks, shards="none")
    assert one == OmeZarr("o.zarr", chunks=text, shards="none")
    assert one == OmeZarr("o.zarr", chunks=np.array(chunks), shards="none")
    assert hash(one) == hash(OmeZarr("o.zarr", chunks=text, shards="none"))


def test_what_is_given_is_what_is_not_the_default() -> None:
    assert Reading(range="3:9", reduce=2).given() == {"range": "3:9", "reduce": 2}
    assert Running().given() == {}
    assert Running(budget="1GiB").budget == 1 << 30
    with pytest.raises(SpellingError, match="not a size in bytes"):
        Running(budget="a lot")


@pytest.mark.parametrize("dtype", ["uint16", "u2", np.uint16, np.dtype("u2")])
def test_a_dtype_may_be_given_as_numpys_type(tmp_path, dtype):
    raw = np.arange(24, dtype="u2").reshape(2, 3, 4)
    raw.tofile(tmp_path / "a.raw")
    np.testing.assert_array_equal(hc.open(tmp_path / "a.raw", shape=raw.shape, dtype=dtype), raw)


def test_letters_of_axes_have_one_spelling():
    spelled = [Reading(source_axes=text) for text in ("zyx", "z,y,x", "ZYX", ["z", "y", "x"])]
    assert all(one == spelled[0] for one in spelled)
    with pytest.raises(SpellingError, match="source_axes 5 is no text"):
        Reading(source_axes=5)
