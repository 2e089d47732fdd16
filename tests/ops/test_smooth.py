"""The op's own duties; the arithmetic is tested with its kernel."""

import numpy as np
import pytest
from scipy import ndimage

from hoaconv.engine.spec import Spec
from hoaconv.errors import SpellingError
from hoaconv.ops.smooth import Gaussian

pytestmark = pytest.mark.one_python


def test_equal_means_equal_in_effect():
    assert (
        Gaussian(1.5) == Gaussian((1.5, 1.5, 1.5)) == Gaussian("1.5") == Gaussian(np.float32(1.5))
    )
    assert Gaussian(1) != Gaussian((1, 1, 2))
    assert len({Gaussian(2), Gaussian([2.0, 2, 2]), Gaussian(np.full(3, 2))}) == 1


@pytest.mark.parametrize(
    ("op", "halo"),
    [
        (Gaussian(1.5), (6, 6, 6)),
        (Gaussian((0, 1, 2)), (0, 4, 8)),
        (Gaussian(1, truncate=2.5), (3, 3, 3)),
        (Gaussian(0), (0, 0, 0)),
    ],
)
def test_the_halo_is_scipys_radius(op, halo):
    assert op.halo == halo


def test_is_scipys_gaussian_filter_within_a_grey_value():
    volume = np.random.default_rng(0).integers(0, 65536, (10, 20, 30)).astype(np.uint16)
    op = Gaussian((1, 2, 0.5), mode="mirror")
    out = np.empty_like(volume)
    op.apply(volume, (slice(None),) * 3, out)
    exact = np.rint(ndimage.gaussian_filter(volume.astype(float), (1, 2, 0.5), mode="mirror"))
    # Single precision may land on the other side of a tie.
    assert np.abs(out - exact).max() <= 1


def test_keeps_the_spec_and_declares_little_scratch():
    spec = Spec((13, 256, 7621), np.dtype("uint16"))
    assert Gaussian(1.5).infer(spec) == spec
    assert 15 * 7621 * 4 <= Gaussian(1.5).work(spec) < 16 * 7621 * 4


@pytest.mark.parametrize("sigma", [None, "one", (1, 2), float("nan"), -0.1, [[1, 2, 3]]])
def test_refuses_what_is_no_sigma(sigma):
    with pytest.raises(SpellingError, match="gaussian: sigma should be"):
        Gaussian(sigma)
