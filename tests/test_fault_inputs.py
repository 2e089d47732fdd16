"""The first of the seeded inputs; `python -m tests.faults` goes on."""

import re
from contextlib import suppress
from itertools import islice

import numpy as np
import pytest
from faults.inputs import ANY, tries

from hoaconv.errors import HoaconvError
from hoaconv.io.stack import open_stack

FIRST = list(islice(tries(12), 130))


def read(folder):
    stack = open_stack(folder)
    out = np.empty(stack.spec.shape, stack.spec.dtype)
    for z in range(stack.spec.planes):
        stack.read(z, out[z])
    return out


@pytest.mark.parametrize(("kind", "name", "make"), FIRST, ids=[name for _, name, _ in FIRST])
def test_right_voxels_or_one_error_in_words(tmp_path, kind, name, make):
    expected = make(tmp_path)
    if kind.startswith("sound"):
        np.testing.assert_array_equal(read(tmp_path), expected)
    elif expected is None:
        with pytest.raises(HoaconvError, match=re.escape(str(tmp_path))):
            read(tmp_path)
    else:
        with suppress(HoaconvError):
            found = read(tmp_path)
            assert expected is ANY or np.array_equal(found, expected), name
