"""Stores that nobody here made, where they are at hand: read as their makers read them, or refused.

zarr-python is asked first how it reads an array, and tensorstore where that can't.
"""

import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import zarr
from sweeping import planes_of

from hoaconv.errors import SourceError
from hoaconv.io.source import open_volume

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
LEAST = {
    "neuroglancer": 40,
    "ome-zarr-examples": 20,
    "yaozarrs": 20,
    "zarrs": 25,
    "spec-0.4": 0,  # metadata alone
    "spec-0.5": 0,
    "spec-main": 0,
}
"""How many stores of each folder are read at least."""
METADATA = {"zarr.json", ".zarray", ".zgroup", ".zattrs", "attributes.json", "info"}
NUMBERS = "buif"
ON_AXES = re.compile(r"take one, as in|say which is which|hoaconv takes y and x|holds no voxel")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data isn't here")


def stores(folder):
    """Paths of all arrays, groups and packed stores, each as a user would name it."""
    for where, folders, files in os.walk(DATA / "ngff" / folder):
        folders.sort()
        if METADATA & set(files) or "manifest.ocdbt" in files:
            yield Path(where)
        yield from (Path(where) / name for name in sorted(files) if name.endswith((".zip", ".ozx")))


def theirs(path):
    """The whole array at a path, as another library reads it; None if none does."""
    by = (by_zarr_python, by_tensorstore)
    return next((found for found in (read(path) for read in by) if found is not None), None)


def by_zarr_python(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.asarray(zarr.open_array(path, mode="r")[...])
        except Exception:
            return None


def by_tensorstore(path):
    drivers = {"zarr.json": "zarr3", ".zarray": "zarr", "attributes.json": "n5"}
    there = [driver for name, driver in drivers.items() if (path / name).is_file()]
    specs = [{"driver": driver, "kvstore": f"file://{path}/"} for driver in there]
    if (path.parent / "info").is_file():
        scale = {"scale_metadata": {"key": path.name}}
        root = f"file://{path.parent}/"
        specs.append({"driver": "neuroglancer_precomputed", "kvstore": root, **scale})
    for spec in specs:
        try:
            return ts.open(spec, open=True, read=True).result().read().result()
        except Exception:
            continue
    return None


def in_packed_store(path):
    """Path of the same array in a folder beside the packed store, which holds the same."""
    text = str(path)
    for suffix in (".zip", ".ocdbt"):
        text = text.replace(suffix, "")
    return Path(text)


@pytest.mark.parametrize("folder", LEAST)
def test_read_as_others_do_or_refused(folder):
    read = 0
    for path in stores(folder):
        try:
            source = open_volume(path)
        except SourceError as error:
            check_refusal(path, str(error))
            continue
        whole = theirs(in_packed_store(source.path))
        if whole is None:
            with pytest.raises(SourceError, match="can't be read"):
                planes_of(source)
            continue
        expected = source.view.planes(whole)
        np.testing.assert_array_equal(planes_of(source), expected, err_msg=str(path))
        assert source.stored_bytes >= 0
        read += 1
    assert read >= LEAST[folder], read


def check_refusal(path, words):
    """A refusal is one sentence that names the store, and nobody else reads it as a volume."""
    assert "\n" not in words
    assert str(path) in words
    assert not re.search(r"Traceback|source locations|tensorstore_spec", words)
    whole = theirs(path)
    if whole is not None and whole.dtype.kind in NUMBERS:
        assert ON_AXES.search(words), f"{path}: {words}"


def test_the_human_organ_atlas():
    root = DATA / "hoa" / "real_store_metadata"
    n5 = root / "LADAF-2020-27" / "spleen" / "25.08um_complete-organ_bm05"
    level = open_volume(n5 / "s2")
    assert str(level.spec) == "475 x 730 x 538 uint16"
    edge = pytest.approx(4 * 25.08)
    assert level.geometry.edges == (edge, edge, edge)
    assert level.geometry.origin == (pytest.approx(1.5 * 25.08),) * 3
    (image,) = (root / "A186" / "lung-right").glob("*.ome.zarr")
    level = open_volume(image / "2")
    assert str(level.spec) == "2391 x 2077 x 2077 uint16"
    assert level.geometry.edges == (96.528,) * 3
    assert level.geometry.origin == (0.5 * 96.528,) * 3
    with pytest.raises(SourceError, match="lacks the array 0 that its metadata names"):
        open_volume(image)
    with pytest.raises(SourceError, match=r"holds no N5 dataset; .* holds s2: name one"):
        open_volume(n5)
