"""Level arithmetic."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.errors import SpellingError
from hoaconv.pyramid.levels import levels

pytestmark = pytest.mark.one_python

sizes = st.integers(1, 10_000)
triples = st.tuples(sizes, sizes, sizes)
edges = st.tuples(*[st.floats(0.1, 100)] * 3)


@given(shape=triples, chunks=st.tuples(*[st.integers(1, 256)] * 3), voxel=edges)
def test_levels_shrink_until_one_fits_a_chunk(shape, chunks, voxel) -> None:
    made = levels(shape, chunks, voxel)
    assert made[0].shape == shape
    assert all(n <= c for n, c in zip(made[-1].shape, chunks, strict=True))
    for before, after in pairwise(made):
        assert any(n > c for n, c in zip(before.shape, chunks, strict=True))
        assert after.shape == tuple(
            -(-n // s) for n, s in zip(before.shape, after.step, strict=True)
        )
        assert after.factor == tuple(f * s for f, s in zip(before.factor, after.step, strict=True))
        assert max(after.step) == 2
        assert all(s == 1 for s, n in zip(after.step, before.shape, strict=True) if n == 1)


@given(voxel=edges)
def test_long_voxels_wait_until_the_others_have_caught_up(voxel) -> None:
    made = levels((4096, 4096, 4096), (1, 1, 1), voxel, count=9)
    ends = [v * f for v, f in zip(voxel, made[-1].factor, strict=True)]
    spread, before = max(ends) / min(ends), max(voxel) / min(voxel)
    assert spread <= max(2.0, before / 2**7)


def test_anisotropic_voxels() -> None:
    steps = [level.step for level in levels((64, 512, 512), (64, 64, 64), (5.0, 1.0, 1.0), count=4)]
    assert steps == [(1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2)]


def test_given_factors_and_counts() -> None:
    made = levels((10, 100, 100), (64, 64, 64), factors=(1, 3, 3), count=3)
    assert [level.shape for level in made] == [(10, 100, 100), (10, 34, 34), (10, 12, 12)]
    assert [level.factor for level in made] == [(1, 1, 1), (1, 3, 3), (1, 9, 9)]
    assert len(levels((10, 100, 100), (64, 64, 64), count=1)) == 1


def test_one_voxel_has_one_level() -> None:
    assert len(levels((1, 1, 1), (64, 64, 64))) == 1


@pytest.mark.parametrize(
    ("shape", "factors", "count", "words"),
    [
        ((4, 4, 4), (1, 1, 1), None, "shrink nothing"),
        ((4, 4, 4), None, 9, "too many"),
        ((500, 1, 1), (1, 2, 2), 2, "can't shrink"),
    ],
)
def test_what_can_not_be(shape, factors, count, words) -> None:
    with pytest.raises(SpellingError, match=words):
        levels(shape, (2, 2, 2), factors=factors, count=count)
