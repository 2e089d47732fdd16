"""Planes of one array, whose memory is free again plane by plane."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.ring import Ring
from hoaconv.engine.spec import Spec

SPEC = Spec((100, 3, 4), np.dtype("int16"))


def fill(places, z):
    """Write the numbers of the planes into the slabs."""
    for slab in places.slabs:
        slab[...] = np.arange(z, z + len(slab))[:, None, None]
        z += len(slab)


@given(st.integers(1, 20), st.lists(st.integers(1, 9), max_size=30), st.data())
def test_planes_keep_their_voxels_until_nobody_has_them(slots, steps, data) -> None:
    """Whoever keeps which plane for how long: no plane is written over."""
    ring, alive, z = Ring(Buffers(), SPEC, slots), {}, 0
    for n in steps:
        places = ring.take(n)
        fill(places, z)
        assert sum(map(len, places.slabs)) == len(places.planes) == n
        alive |= dict(enumerate(places.planes, z))
        del places
        z += n
        for plane, voxels in alive.items():
            assert (voxels == plane).all()
        for plane in data.draw(st.sets(st.sampled_from(sorted(alive)))):
            del alive[plane]


@given(st.integers(1, 9), st.integers(0, 20), st.integers(0, 30), st.integers(1, 9))
def test_a_ring_holds_what_is_kept_and_what_is_made(stride, behind, steps, first) -> None:
    """Of planes that die in order all lie in the ring, in two slabs at the most."""
    buffers, alive, z = Buffers(), {}, 0
    ring = Ring(buffers, SPEC, behind + stride)
    for n in [min(first, stride), *[stride] * steps]:
        places = ring.take(n)
        fill(places, z)
        assert len(places.slabs) <= 2
        alive |= dict(enumerate(places.planes, z))
        del places
        z += n
        alive = {plane: voxels for plane, voxels in alive.items() if plane >= z - behind}
        assert all((voxels == plane).all() for plane, voxels in alive.items())
    assert buffers.held == (behind + stride) * SPEC.plane_bytes


def test_a_slab_and_its_planes_are_contiguous() -> None:
    ring = Ring(Buffers(), SPEC, 5)
    for n, depths in ((3, [3]), (3, [2, 1]), (4, [4])):
        places = ring.take(n)
        assert [len(slab) for slab in places.slabs] == depths
        assert all(slab.flags.c_contiguous and slab.flags.writeable for slab in places.slabs)
        assert all(plane.shape == (3, 4) and plane.flags.c_contiguous for plane in places.planes)
        del places


def test_a_plane_that_somebody_keeps_is_not_waited_for() -> None:
    buffers = Buffers()
    ring = Ring(buffers, SPEC, 4)
    places = ring.take(2)
    fill(places, 7)
    row = places.planes[0][1]  # a view of a view
    del places
    for _ in range(6):
        places = ring.take(2)
        fill(places, 0)
        del places
    assert (row == 7).all()
    assert buffers.held == (4 + 2) * SPEC.plane_bytes
    del row
    assert not np.shares_memory(ring.take(2).slabs[0], ring.take(2).slabs[0])
    assert buffers.held == (4 + 2) * SPEC.plane_bytes


def test_the_memory_of_a_ring_goes_back_when_it_and_its_planes_are_gone() -> None:
    buffers = Buffers()
    plane = Ring(buffers, SPEC, 4).take(1).planes[0]
    again = Ring(buffers, SPEC, 4)
    assert buffers.held == 8 * SPEC.plane_bytes
    del plane, again
    Ring(buffers, SPEC, 4).take(4)
    assert buffers.held == 8 * SPEC.plane_bytes
