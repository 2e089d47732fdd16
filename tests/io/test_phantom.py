import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hoaconv.errors import PlanError
from hoaconv.io.phantom import Phantom


def plane(phantom, z):
    out = np.empty(phantom.spec.plane_shape, phantom.spec.dtype)
    phantom.read(z, out)
    return out


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_zero_outside_the_circle_and_grey_inside(dtype):
    voxels = plane(Phantom((16, 130, 200), dtype), 8)
    y, x = np.ogrid[:130, :200]
    far = ((y + 0.5) / 65 - 1) ** 2 + ((x + 0.5) / 100 - 1) ** 2
    assert (voxels[far > 1.001] == 0).all()
    assert (voxels[far < 0.999] > 0).all()
    assert len(np.unique(voxels)) > 50


def test_planes_depend_on_z_and_seed_alone():
    phantom = Phantom((20, 70, 90), seed=4)
    ahead = [plane(phantom, z) for z in range(20)]
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(lambda z: plane(Phantom((20, 70, 90), seed=4), z), range(20)))
    np.testing.assert_array_equal(ahead, again)
    assert not np.array_equal(ahead[3], ahead[4])
    assert not np.array_equal(ahead[3], plane(Phantom((20, 70, 90), seed=5), 3))


def test_structures_go_on_from_plane_to_plane():
    phantom = Phantom((64, 96, 96), "float32")
    near, far = (np.abs(plane(phantom, 30) - plane(phantom, z)).mean() for z in (31, 50))
    assert near < far / 2


def test_scratch_is_what_numpy_holds():
    phantom = Phantom((8, 1024, 1024))
    out = np.empty((1024, 1024), np.uint16)
    tracemalloc.start()
    phantom.read(4, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= phantom.scratch() <= 2 * peak


@pytest.mark.parametrize("dtype", ["int16", "float64", "bool"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(PlanError, match="phantom"):
        Phantom((2, 2, 2), dtype)


def test_empty_shape_is_refused():
    with pytest.raises(PlanError):
        _ = Phantom((0, 2, 2)).spec


def test_a_phantom_is_a_value():
    assert Phantom((2, 3, 4)) == Phantom((2, 3, 4))
    assert Phantom((2, 3, 4)) != Phantom((2, 3, 4), seed=1)
