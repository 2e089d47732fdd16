import numpy as np
import pytest

from hoaconv.errors import PlanError
from hoaconv.io.phantom import Phantom
from hoaconv.io.slice_files import with_resolution, write_jp2_stack, write_tiff_stack
from hoaconv.io.stack import open_stack


def plane(source, z):
    out = np.empty(source.spec.plane_shape, source.spec.dtype)
    source.read(z, out)
    return out


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("ratio", [5.0, 10.0])
def test_jp2_comes_near_the_ratio_and_the_voxels(tmp_path, dtype, ratio):
    phantom = Phantom((3, 400, 400), dtype)
    files = write_jp2_stack(phantom, tmp_path / "new" / "jp2", ratio=ratio, prefix="brain_")
    assert [file.name for file in files] == [f"brain_{z:06d}.jp2" for z in range(3)]
    stack = open_stack(tmp_path / "new" / "jp2")
    # The middle plane decides for all; the codec's own header takes some of a small plane.
    assert 0.8 * ratio < stack.spec.nbytes / stack.stored_bytes < 1.25 * ratio
    error = np.abs(plane(stack, 1).astype(float) - plane(phantom, 1))
    # Lossy: noise of 0.01 of the grey range is what goes first.
    assert error.mean() < 0.02 * np.iinfo(dtype).max


def test_small_and_narrow_planes(tmp_path):
    for shape in ((1, 5, 300), (1, 3, 3), (1, 1, 64)):
        folder = tmp_path / str(shape)
        write_jp2_stack(Phantom(shape), folder)
        assert open_stack(folder).spec.shape == shape


@pytest.mark.parametrize("compression", [None, "zstd"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_tiff_gives_the_voxels_back(tmp_path, dtype, compression):
    phantom = Phantom((3, 30, 50), dtype)
    files = write_tiff_stack(phantom, tmp_path, compression=compression, workers=1)
    assert [file.name for file in files] == [f"slice_{z:06d}.tif" for z in range(3)]
    stack = open_stack(tmp_path)
    for z in range(3):
        np.testing.assert_array_equal(plane(stack, z), plane(phantom, z))


def test_floats_are_no_jp2(tmp_path):
    with pytest.raises(PlanError, match="float32"):
        write_jp2_stack(Phantom((2, 8, 8), "float32"), tmp_path)


def test_resolution_needs_a_jp2_file():
    with pytest.raises(ValueError, match="jp2h"):
        with_resolution(b"\xff\x4f\xff\x51", 1.0, 1.0)
