"""Pool, buffers, writers and taps, which the stages of a sweep share while it runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Pieces, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane
from hoaconv.engine.stages.taps import Round, Tap

__all__ = ["Planes", "Running"]

Planes = Iterator[Plane]


@dataclass
class Running:
    """All that the stages of a sweep share while it runs; all numbers are positions of stages.

    Attributes
    ----------
    readers
        For each stage, those that take its planes.
    kept
        For each stage, the most of its planes that live at once.
    ahead
        Planes that are decoded ahead.
    next_layer
        Whether layers are decoded while the last one is given: see `Economy`.
    pieces
        By source, where its layers wait; none for a source whose layers are held in memory.
    early
        By source, the folds that see its planes as they are decoded.
    lenders
        By source, the sink whose writer lends its planes their places.
    writers, taps
        By stage.
    rounds
        By stage, the round of bands in which it sees the planes that pass.
    on_plane
        Called in the thread that runs the sweep for every plane read.
    """

    pool: Pool
    buffers: Buffers = field(default_factory=Buffers)
    readers: tuple[tuple[int, ...], ...] = ()
    kept: Sequence[int] = ()
    ahead: int = 1
    next_layer: bool = False
    pieces: dict[int, Pieces] = field(default_factory=dict)
    early: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    lenders: Mapping[int, int] = field(default_factory=dict)
    writers: dict[int, Writer] = field(default_factory=dict)
    taps: dict[int, Tap] = field(default_factory=dict)
    rounds: dict[int, Round] = field(default_factory=dict)
    on_plane: Callable[[], None] = lambda: None

    def is_early(self, i: int) -> bool:
        """Return whether a fold sees planes as they are decoded."""
        return any(i in folds for folds in self.early.values())
