"""Metadata in which anything stands: stores are opened or refused, and nothing else happens."""

import json
import shutil

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import merge_json, ome_attributes, write_n5, write_precomputed

import hoaconv as hc
from hoaconv.errors import SourceError
from hoaconv.io.source import open_volume

pytestmark = pytest.mark.one_python

VOLUME = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)
NUMBERS = [0, -1, 1, 3, 0.5, float("inf")]
TEXTS = ["", "x", "um", "s0", "../..", "zyx"]
LISTS = [[], [[]], [None], ["x"], [1, 2, 3], [0, 0, 0], [{}]]
ANYTHING = st.sampled_from([None, True, *NUMBERS, *TEXTS, *LISTS, {}, {"path": "0"}])


def n5(path):
    transform = {"axes": ["z", "y", "x"], "scale": [1, 2, 3], "translate": [0] * 3}
    level = {"path": "s0", "transform": {**transform, "units": ["nm"] * 3}}
    group = {
        "axes": ["x", "y", "z"],
        "downsamplingFactors": [[1, 1, 1]],
        "pixelResolution": {"unit": "um", "dimensions": [1, 2, 3]},
        "multiscales": [{"datasets": [level]}],
    }
    write_n5(path / "s0", VOLUME, attributes={"resolution": [1, 1, 1], "units": ["nm"] * 3})
    merge_json(path / "attributes.json", group)
    return path, [path / "attributes.json", path / "s0" / "attributes.json"]


def precomputed(path):
    write_precomputed(path, [VOLUME], [[1, 1, 1]], [[1, 2, 3]])
    return path, [path / "info"]


def zarr_3(path):
    zarr.create_group(path, attributes=ome_attributes([(1, 1, 1)]))
    zarr.create_array(path / "0", data=VOLUME, chunks=(2, 2, 2), shards=(4, 4, 4))
    return path, [path / "zarr.json", path / "0" / "zarr.json"]


def zarr_2(path):
    attributes = ome_attributes([(1, 1, 1)])["ome"]
    zarr.create_group(path, attributes=attributes, zarr_format=2)
    zarr.create_array(path / "0", data=VOLUME, chunks=(2, 2, 2), zarr_format=2)
    return path, [path / ".zattrs", path / "0" / ".zarray"]


def places(value, before=()):
    """The place of every part of a JSON value."""
    yield before
    inner = value.items() if isinstance(value, dict) else ()
    for key, part in enumerate(value) if isinstance(value, list) else inner:
        yield from places(part, (*before, key))


def with_one(value, place, new):
    """The value with another part at a place."""
    if not place:
        return new
    made = dict(value) if isinstance(value, dict) else list(value)
    made[place[0]] = with_one(value[place[0]], place[1:], new)
    return made


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [n5, precomputed, zarr_3, zarr_2], ids=lambda make: make.__name__)
def test_anything_is_opened_or_refused(tmp_path_factory, make, data):
    path, files = make(tmp_path_factory.mktemp("odd") / "a")
    file = data.draw(st.sampled_from(files))
    told = json.loads(file.read_text())
    place = data.draw(st.sampled_from(list(places(told))))
    file.write_text(json.dumps(with_one(told, place, data.draw(ANYTHING))))
    scheme = {"n5": "n5://", "precomputed": "precomputed://"}.get(make.__name__, "zarr://")
    words = refusal(f"{scheme}{path}")
    assert "\n" not in words
    shutil.rmtree(path)


def refusal(src):
    """The words with which a source is refused; empty if it is opened."""
    try:
        source = open_volume(src)
        return "" if source.spec.planes and source.levels is not None else "nothing"
    except SourceError as error:
        return str(error)


def test_chunks_without_a_voxel_are_refused(tmp_path):
    path, (_, metadata) = zarr_2(tmp_path / "a.zarr")
    merge_json(metadata, {"chunks": [0, 2, 2]})
    with pytest.raises(SourceError, match="its chunks hold no voxel"):
        open_volume(path)


def test_an_image_that_names_too_few_axes_is_described(tmp_path):
    path, (attributes, _) = zarr_2(tmp_path / "a.zarr")
    (image,) = json.loads(attributes.read_text())["multiscales"]
    merge_json(attributes, {"multiscales": [{**image, "axes": image["axes"][1:]}]})
    assert "4x5x6" in str(hc.info(path))
