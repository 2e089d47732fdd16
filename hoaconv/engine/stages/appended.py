"""Sources in a row: each is read in its own way, one after the other."""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import cast

from hoaconv.engine.appended import Appended
from hoaconv.engine.contract import LayeredSource, Source, Use
from hoaconv.engine.layers import tickets
from hoaconv.engine.stages.kind import Share
from hoaconv.engine.stages.running import Running
from hoaconv.engine.stages.source import Decode, SourceKind
from hoaconv.engine.stages.stage import At

__all__ = ["AppendedKind"]


class AppendedKind(SourceKind):
    """Answers for several sources in a row."""

    name = Appended.kind

    def uses(self, at: At[Source], share: Share) -> Iterator[Use]:
        """Count the layers being read, too, of as many sources as are read at once."""
        yield from super().uses(at, share)
        layers = cast(Appended, at.part).layer_bytes(share.workers, share.ahead)
        if layers:
            yield Use(str(at.part), "the layers being read", layers)

    def begin(self, at: At[Source], running: Running) -> Iterator[Decode]:
        """Return for each plane how to decode it: tickets to layers, or readings of one plane."""
        sources = cast(Appended, at.part).sources
        return chain.from_iterable(_decodes(source, running) for source in sources)

    def together(self, source: Source) -> int:
        """Return the most planes of a layer of any of the sources."""
        sources = cast(Appended, source).sources
        return max(one.thickness if isinstance(one, LayeredSource) else 1 for one in sources)


def _decodes(source: Source, running: Running) -> Iterator[Decode]:
    if isinstance(source, LayeredSource) and source.is_shared:
        return tickets(source, running.buffers, running.pool)
    return (partial(source.read, z) for z in range(source.spec.planes))
