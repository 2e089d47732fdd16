"""Selection networks by the 0-1 principle: correct for zeros and ones, correct for all values."""

from itertools import product

import numpy as np
import pytest

from hoaconv.kernels.selection_network import UNUSED, network

pytestmark = pytest.mark.one_python

SIZES = [(1, 1, 1), (3, 3, 1), (1, 1, 5), (2, 1, 2), (1, 3, 3), (3, 3, 3), (2, 2, 4), (1, 4, 3)]


def outcome(found, given):
    """Run a network in numpy on the rows `given`; values that it does not compute are 9."""
    exchanges, (row, shift), rows = found
    wanted = given.shape[1] - 64
    held = np.full((rows, given.shape[1]), 9, given.dtype)
    held[: len(given)] = given
    for one, near, other, far, lesser, greater, extra in exchanges.tolist():
        assert lesser != greater
        assert not {lesser, greater} & {one, other, *range(len(given))}
        n = wanted + extra
        a, b = held[one, near : near + n].copy(), held[other, far : far + n].copy()
        for place, made in ((lesser, np.minimum(a, b)), (greater, np.maximum(a, b))):
            if place != UNUSED:
                held[place] = 9
                held[place, :n] = made
    return held[row, shift : shift + wanted]


def columns(size):
    """Return all columns of zeros and ones, sorted along z, in all combinations along x."""
    z, y, x = size
    ascending = [[int(k >= z - ones) for k in range(z)] for ones in range(z + 1)]
    column = np.array(list(product(ascending, repeat=y)), np.int8).reshape(-1, y * z)
    choice = np.indices((len(column),) * x).reshape(x, -1).T.ravel()
    return column[choice].T


@pytest.mark.parametrize("size", SIZES)
def test_every_rank_of_every_window_of_zeros_and_ones_is_right(size):
    z, y, x = size
    given = columns(size)
    ones = np.convolve(given.sum(axis=0), np.ones(x, int))[x - 1 :][: given.shape[1]]
    padded = np.pad(given, ((0, 0), (0, 64)), constant_values=9)
    whole = slice(0, given.shape[1] - x + 1)
    for rank in range(z * y * x):
        got = outcome(network(size, rank), padded)[whole]
        np.testing.assert_array_equal(got, ones[whole] >= z * y * x - rank)


@pytest.mark.parametrize(("size", "most"), [((3, 3, 3), 64), ((1, 3, 3), 15), ((5, 5, 5), 430)])
def test_a_median_takes_few_exchanges(size, most):
    """A step that is no longer shared or pruned would exceed the bound."""
    assert len(network(size, size[0] * size[1] * size[2] // 2).exchanges) <= most


def test_the_minimum_takes_one_exchange_per_row_and_one_per_doubling_along_x():
    assert len(network((9, 4, 8), 0).exchanges) == (4 - 1) + 3
