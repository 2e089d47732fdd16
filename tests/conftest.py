"""Tiny stacks, made with tifffile and imagecodecs: what hoaconv reads, hoaconv didn't write."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import settings

settings.register_profile("hoaconv", deadline=None)  # kernels are compiled when first called
settings.load_profile("hoaconv")


def random_volume(shape, dtype="uint16", seed=0):
    """Smooth large structures and noise over all of the dtype's range; floats are within 0..1."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    z, y, x = (np.linspace(0, 3 * np.pi, n).reshape(s) for n, s in zip(shape, _AXES, strict=True))
    values = (np.sin(z) + np.sin(y) + np.sin(x) + 3) / 7.5 + 0.2 * rng.random(shape)
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return (limits.min + values * (float(limits.max) - limits.min)).astype(dtype)


_AXES = ((-1, 1, 1), (1, -1, 1), (1, 1, -1))


def write_tiffs(folder, volume, **options):
    """A TIFF file for each plane: slice_0000.tif and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for z, plane in enumerate(volume):
        tifffile.imwrite(folder / f"slice_{z:04d}.tif", plane, photometric="minisblack", **options)
    return folder


def write_jp2s(folder, volume):
    """A lossless JP2 file for each plane: slice_0000.jp2 and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for z, plane in enumerate(volume):
        (folder / f"slice_{z:04d}.jp2").write_bytes(encoded_jp2(plane))
    return folder


def encoded_jp2(plane):
    return imagecodecs.jpeg2k_encode(plane, level=0, reversible=True, codecformat="jp2")


@pytest.fixture
def make_volume():
    """The function `random_volume`."""
    return random_volume


@pytest.fixture
def make_tiffs():
    """The function `write_tiffs`."""
    return write_tiffs


@pytest.fixture
def make_jp2s():
    """The function `write_jp2s`."""
    return write_jp2s


@pytest.fixture(scope="session")
def volume():
    """The voxels of `tiffs` and `jp2s`: uint16, odd sizes."""
    return random_volume((37, 67, 53))


@pytest.fixture(scope="session")
def tiffs(volume, tmp_path_factory):
    """A folder of TIFF slices. Shared: nobody changes it."""
    return write_tiffs(tmp_path_factory.mktemp("stacks") / "tiffs", volume)


@pytest.fixture(scope="session")
def jp2s(volume, tmp_path_factory):
    """The same as JP2. Shared: nobody changes it."""
    return write_jp2s(tmp_path_factory.mktemp("stacks") / "jp2s", volume)


@pytest.fixture
def out(tmp_path):
    """A DST that, unless a test expects it, must not be there afterwards."""
    return tmp_path / "o.zarr"
