"""Sources in layers: planes chosen again, what a layer takes, and what the planner is told."""

from unittest.mock import patch

import numpy as np
import pytest
from in_memory import Desk, Keep, Layered, Total
from sized import volume_of

from hoaconv.engine.contract import Economy
from hoaconv.engine.estimate import estimate
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.stages import Share
from hoaconv.ops.cropping import Crop
from hoaconv.ops.geometry import Flip
from hoaconv.ops.repeated import Repeated

VOLUME = volume_of((23, 11, 5))
ALL = tuple(range(23))


def asked(source, scratch=None, workers=2):
    """The kind that answers for a source in a sweep, and the source's place in it."""
    made = schedule(Plan.read(source) | Total(), Limits(1 << 40, workers, 0, scratch))
    return made.sweeps[0].asked[0]


def test_what_is_left_out_is_not_decoded_and_planes_are_chosen_again() -> None:
    source = Layered(VOLUME, 4, 6, ALL)
    for part, want in ((Crop("5:11,:,:"), VOLUME[5:11]), (Flip("z"), VOLUME[::-1])):
        sink = Keep()
        source.reads.clear()
        run(schedule(Plan.read(source) | part | sink, Limits(1 << 40, 3, 0)))
        assert np.array_equal(sink.volume, want)
        layers = {1, 2} if len(want) == 6 else set(range(6))
        assert sorted(source.reads) == sorted((z, y, 0) for z in layers for y in (0, 6))
    twice = source.choose(range(22, 2, -3)).choose([4, 0, 1])
    assert list(twice.planes) == [10, 22, 19]
    assert source.choose(range(4)).stored_bytes == source.stored_bytes // 6
    assert str(twice) == "layered"
    assert not twice.decodes_slowly
    with patch.object(Layered, "decodes_slowly", True):
        assert twice.decodes_slowly


def test_a_trial_takes_a_plane_for_its_share_of_a_layer() -> None:
    source = Layered(VOLUME, 8, 3, ALL)
    found = estimate(schedule(Plan.read(source) | Total(), Limits(1 << 40, 2, 0)))
    assert found.work["layered"] > 0
    assert len(source.reads) == 3 * source.piece_count


def test_one_layer_is_held_or_one_more_or_as_many_as_occupy_all_workers() -> None:
    source = Layered(VOLUME, 2, 11, ALL)
    assert [source.at_once(workers) for workers in (1, 2, 3, 6, 99)] == [1, 1, 2, 3, 12]
    early = [source.at_once(workers, next_layer=True) for workers in (1, 2, 3, 6, 99)]
    assert early == [2, 2, 3, 4, 12]
    layer = 2 * source.spec.plane_bytes
    assert source.layer_bytes(2) == layer
    assert source.layer_bytes(2, next_layer=True) == 2 * layer


def test_the_largest_piece_is_that_of_any_source() -> None:
    assert Layered(VOLUME, 4, 4, ALL, columns=3).piece_voxels == 12
    assert Layered(VOLUME, 4, 20, ALL).choose([3]).piece_voxels == 55
    assert Repeated(Layered(VOLUME[:1], 1, 4, (0,)), 7).piece_voxels == 55


def test_the_next_layer_is_offered_where_there_is_one() -> None:
    for source, offered in (
        (Layered(VOLUME, 8, 4, ALL), True),
        (Layered(VOLUME, 23, 4, ALL), False),
        (Layered(VOLUME, 1, 4, ALL), False),
        (Layered(VOLUME, 8, 4, (0, 9, 20)), False),
    ):
        kind, at = asked(source)
        assert kind.has_next_layer(at) is offered


def test_parts_are_offered_where_they_hold_less() -> None:
    class Small(Desk):
        largest_piece = 5000

    wide = volume_of((23, 11, 500))
    for source, scratch, offered in (
        (Layered(wide, 8, 1, ALL), Desk(), True),
        (Layered(wide, 8, 1, ALL), None, False),
        (Layered(wide, 8, 11, ALL), Desk(), False),
        (Layered(wide, 1, 1, ALL), Desk(), False),
        (Layered(VOLUME, 8, 1, ALL), Desk(), False),  # the places of the pieces take more
        (Layered(wide, 8, 3, ALL), Desk(), True),
        (Layered(wide, 8, 3, ALL), Small(), False),  # pieces can't be packed
    ):
        kind, at = asked(source, scratch)
        assert kind.parts(at) is offered
        economy = Economy(in_parts=True)
        words = "layers of layered, 8 slices each," if offered else ""
        assert (kind.spills(at, Economy()), kind.spills(at, economy)) == ("", words)
        pieces = 8 * source.piece_count
        on_disk = 8 * source.spec.plane_bytes + pieces if offered else 0
        assert kind.scratch_bytes(at, economy) == on_disk
        assert kind.scratch_bytes(at, Economy()) == 0


@pytest.mark.parametrize("workers", [1, 2, 3, 50])
def test_parts_hold_a_share_of_the_layer(workers) -> None:
    source = Layered(volume_of((16, 64, 5000)), 8, 1, tuple(range(16)))
    kind, at = asked(source, Desk(), workers)

    def held(economy):
        share = Share(workers, 2, economy, 2)
        return sum(use.nbytes for use in kind.uses(at, share)) - 4 * source.spec.plane_bytes

    assert held(Economy()) == 8 * source.spec.plane_bytes
    places = 16 * 64 * (8 + 8 * workers)
    parts = min(workers, 16) * 8 * 5000 * 4 + places
    assert held(Economy(in_parts=True)) == held(Economy(in_parts=True, next_layer=True)) == parts
