"""Planes made in their slots, as early as they are lent, give the same levels as copied ones.

So do layers that wait packed, and come back in the memory of these slots.
"""

from dataclasses import dataclass, field
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.pool import Pool
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.compressor import Compressor
from hoaconv.io.packed import PackedFile, PackedMemory
from hoaconv.pyramid import layers as layers_module
from hoaconv.pyramid.cascade import Cascade
from hoaconv.pyramid.layers import Layers
from hoaconv.pyramid.levels import Level
from hoaconv.pyramid.waiting import Room, Waiting

pytestmark = pytest.mark.one_python

EDGE = 6


@dataclass
class Recorded:
    """In place of a zarr array: what was written of it."""

    spec: ArraySpec
    volume: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.volume = np.zeros(self.spec.shape, self.spec.dtype)

    def write_layer(self, z, layer, y=0, x=0) -> None:
        _, height, width = layer.shape
        there = self.volume[z : z + len(layer), y : y + height, x : x + width]
        assert not there.any()
        there[...] = layer


def array_of(shape, depth) -> Recorded:
    packed = Compressor("none")
    return Recorded(ArraySpec(shape, np.dtype(np.uint16), (depth, 4, 4), None, packed, 3))


def greatest(volume, group):
    """Greatest voxel of cells of group x 2 x 2."""
    tops = [volume[z : z + group].max(0) for z in range(0, len(volume), group)]
    return np.stack(tops).reshape(len(tops), EDGE // 2, 2, EDGE // 2, 2).max((2, 4))


@settings(max_examples=200, deadline=None)
@given(
    planes=st.integers(1, 40),
    depth=st.integers(1, 9),
    group=st.integers(1, 4),
    ahead=st.integers(0, 12),
    below_depth=st.integers(1, 9),
    packed=st.booleans(),
)
def test_slots_are_lent_as_soon_as_they_are_free_and_no_sooner(
    tmp_path_factory, planes, depth, group, ahead, below_depth, packed
) -> None:
    rng = np.random.default_rng(planes)
    volume = rng.integers(1, 60000, (planes, EDGE, EDGE)).astype(np.uint16)
    arrays = (
        array_of(volume.shape, depth),
        array_of((-(-planes // group), EDGE // 2, EDGE // 2), below_depth),
    )
    layers = Layers(tuple(array.spec for array in arrays), (group, 1), packed=packed)
    tables = patch.object(layers_module, "_places_bytes", return_value=0)
    with tables, patch.object(layers_module, "SHARE", 0.1), Pool(1) as pool:
        buffers, room = Buffers(), Room(np.empty(0, np.uint16))
        given_ = (pool, buffers, "max")
        file = PackedFile(tmp_path_factory.mktemp("scratch") / "file")
        nbytes = layers.waiting_bytes(1)
        plain = Room(buffers.take((nbytes // 2,), np.uint16))
        store = PackedMemory(nbytes, file, buffers) if packed else plain
        waiting = Waiting(arrays[1], store, partial(layers.lasts, 1), pool)
        below = Cascade(
            arrays[1], layers.planes(1), *given_, None, waiting if layers.waits(1) else None
        )
        level = Level(arrays[1].spec.shape, (group, 2, 2), (group, 2, 2))
        top = Cascade(arrays[0], layers.planes(0), *given_, (level, below), late=layers.late)
        lent = asked = 0
        for z in range(planes):
            for early in range(asked, min(z + ahead + 1, planes)):
                slot = top.lend(early)
                if slot is not None:
                    slot[...] = volume[early]
                    lent += 1
            asked = max(asked, min(z + ahead + 1, planes))
            if top.filled:
                top.fill(room)
            else:
                top.take(volume[z], slice(0, EDGE))
                top.advance(room)
        file.remove()
    in_layer = sum(z // depth == max(0, z - ahead) // depth for z in range(planes))
    assert lent == in_layer if depth % group == 0 else lent <= in_layer
    assert np.array_equal(arrays[0].volume, volume)
    assert np.array_equal(arrays[1].volume, greatest(volume, group))


def test_without_looking_ahead_every_plane_is_lent_its_slot() -> None:
    array = array_of((20, EDGE, EDGE), 8)
    with Pool(1) as pool:
        top = Cascade(array, 8, pool, Buffers(), "max")
        for z in range(20):
            top.lend(z)[...] = z + 1
            top.fill(Room(np.empty(0, np.uint16)))
    assert np.array_equal(array.volume[:, 0, 0], np.arange(1, 21))
