"""Sources whose planes lie in layers: what a layer takes in memory, or in scratch."""

from collections.abc import Iterator
from typing import cast

from hoaconv.engine.contract import Economy, LayeredSource, Scratch, Source, Use
from hoaconv.engine.layers import tickets
from hoaconv.engine.stages.kind import Share
from hoaconv.engine.stages.running import Running
from hoaconv.engine.stages.source import Decode, SourceKind
from hoaconv.engine.stages.stage import At

__all__ = ["LayeredKind"]


class LayeredKind(SourceKind):
    """Answers for sources whose planes lie in layers."""

    name = LayeredSource.kind

    def uses(self, at: At[Source], share: Share) -> Iterator[Use]:
        """Count the layers being read, too, or the parts of one."""
        yield from super().uses(at, share)
        source, who = _layered(at.part), str(at.part)
        if share.economy.in_parts and self.parts(at):
            yield from _parts(source, who, at)
        elif layer := source.layer_bytes(share.workers, next_layer=share.economy.next_layer):
            count = source.at_once(share.workers, next_layer=share.economy.next_layer)
            what = "the layer being read" if count == 1 else f"{count} layers being read"
            yield Use(who, what, layer)

    def has_next_layer(self, at: At[Source]) -> bool:
        """Return True if there are two layers or more, and each serves several planes."""
        source = _layered(at.part)
        return source.is_shared and len(source.layers) > 1

    def parts(self, at: At[Source]) -> bool:
        """Return True if there is a scratch, and parts of a layer take less than the layer."""
        source = _layered(at.part)
        if at.scratch is None or not source.is_shared:
            return False
        if source.piece_voxels * source.spec.dtype.itemsize > at.scratch.largest_piece:
            return False
        in_parts = sum(use.nbytes for use in _parts(source, "", at))
        return in_parts < source.layer_bytes(at.workers)

    def spills(self, at: At[Source], economy: Economy) -> str:
        """Return that layers wait in scratch, if they do."""
        if not (economy.in_parts and self.parts(at)):
            return ""
        return f"layers of {at.part}, {_layered(at.part).thickness} slices each,"

    def through_scratch(self, at: At[Source], economy: Economy) -> int:
        """Return the bytes of all layers, if they wait in scratch."""
        return at.given.nbytes if economy.in_parts and self.parts(at) else 0

    def scratch_bytes(self, at: At[Source], economy: Economy) -> int:
        """Return the bytes of one layer in scratch, as if no piece were smaller packed."""
        if at.scratch is None or not (economy.in_parts and self.parts(at)):
            return 0
        source = _layered(at.part)
        pieces = source.thickness * source.piece_count
        return at.scratch.stored_bytes(pieces, source.thickness * source.spec.plane_bytes)

    def begin(self, at: At[Source], running: Running) -> Iterator[Decode]:
        """Return tickets to the layers' planes; where each plane is read by itself, readings."""
        source = _layered(at.part)
        if not source.is_shared:
            return super().begin(at, running)
        return tickets(
            source,
            running.buffers,
            running.pool,
            next_layer=running.next_layer,
            waiting=running.pieces.get(at.i),
        )

    def together(self, source: Source) -> int:
        """Return the planes of a layer."""
        return _layered(source).thickness


def _layered(source: Source) -> LayeredSource:
    return cast(LayeredSource, source)


def _parts(source: LayeredSource, who: str, at: At[Source]) -> Iterator[Use]:
    """Count the parts of a layer that are read at once, and what packs and unpacks them."""
    planes, readers = source.thickness, source.parts_at_once(at.workers)
    piece = source.piece_voxels * source.spec.dtype.itemsize
    reading = readers * (planes * piece + source.piece_bytes(planes))
    packing = at.workers * cast(Scratch, at.scratch).packing_bytes(piece)
    # Their places, and for each worker those of a plane as Python's numbers, 8 times as large.
    places = 16 * source.piece_count * (planes + 8 * at.workers)
    yield Use(who, f"{readers} parts of a layer", reading)
    yield Use(who, f"packing in {at.workers} workers", packing + places)
