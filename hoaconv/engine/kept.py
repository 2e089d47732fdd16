"""The most planes of each stage that live at once.

A stage with one reader makes planes when the reader asks for them, and keeps those of the reader's
window: they are the reader's input and the stage's output, and count once (equation 9 of Sporring
and Stansby, 2026). Where a stream has several readers, they share its planes (equation 10), which
wait for the last of them. Streams are pulled as soon as their sources have given enough
(`hoaconv.engine.pull_order`), so what each of them has taken by then follows from the planes that
the sources have given.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm
from typing import Any, NamedTuple

import numpy as np

from hoaconv.engine.leads import keeper, waiting
from hoaconv.engine.pull_order import needs
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import At, Counts, Kind

__all__ = ["kept"]


def kept(sweep: Sweep) -> list[int]:
    """Return the most planes of each stage that live at once, those that it makes included."""
    found = _shared(sweep, _waited_for(sweep))
    for i, stage in enumerate(sweep.stages):
        if i in found:
            continue
        found[i] = stage.stride
        if (j := keeper(sweep, i)) is not None:
            kind, at = sweep.asked[j]
            found[i] = kind.keeps(at) + waiting(stage, at.stage)
    return [min(found[i], stage.given.planes) for i, stage in enumerate(sweep.stages)]


def _waited_for(sweep: Sweep) -> set[int]:
    """Return the stages whose planes may wait: for one of several readers, or for any reader."""
    found: set[int] = set()
    for i in reversed(range(len(sweep.stages))):  # readers stand behind
        passed_on = (j for j in sweep.readers[i] if sweep.asked[j][0].passes_on)
        if sweep.branches(i) > 1 or sweep.asked[i][0].has_own_pace or found & {*passed_on}:
            found.add(i)
    return found


def _shared(sweep: Sweep, wanted: Collection[int]) -> dict[int, int]:
    """Return the most planes that live at once of stages whose planes wait for somebody.

    Just before a stream takes its next plane, it keeps all planes from the beginning of its windows
    on. By then no more planes are made than there were before the stream could take its next one,
    or than it asks for now, or than streams ask for that are further behind and go first.
    """
    found = dict.fromkeys(wanted, 1)
    if not found:
        return found
    sweep = _shortened(sweep)
    counts = [_Counts.of(kind, at) for kind, at in sweep.asked]
    demanded = [count.needed[1:] for count in counts]
    by_level, by_root = (needs(sweep, demanded, restart=restart) for restart in (False, True))
    streams = list(_streams(sweep, counts))
    for stream in streams:
        needed = by_root if len(stream.pace) == 1 else by_level
        come = needed[stream.reads][: stream.takes]
        for i in found.keys() & stream.views.keys():
            given = np.cumsum(np.bincount(needed[i], minlength=come.max(initial=0) + 1))
            before, now = given[come - 1], given[come]
            readers = [other for other in streams if i in other.views]
            asked = [stream.meanwhile(other, i, now) for other in readers]
            newest = np.minimum(now, np.maximum.reduce([before, *asked]))
            held = newest - stream.views[i].first[stream.taken]
            found[i] = max(found[i], int(held.max(initial=1)))
    return found


def _shortened(sweep: Sweep) -> Sweep:
    """Return the sweep of fewer planes, where as many of them live at once; it is counted sooner.

    Once all windows are full, all is the same again after the least common multiple of the strides,
    if all stages give as many planes.
    """
    if len({at.given.planes for _, at in sweep.asked}) > 1 or any(
        kind.has_own_pace for kind, _ in sweep.asked
    ):
        return sweep
    one = np.ones(1, np.int64)
    reach = sum(at.stage.window + int(kind.needed(at, one)[0]) for kind, at in sweep.asked)
    period = lcm(*(stage.stride for stage in sweep.stages))
    enough, planes = 2 * (reach + period), sweep.stages[0].given.planes
    if planes <= enough:
        return sweep
    length = enough + (planes - enough) % period
    specs = (replace(s.given, shape=(length, *s.given.plane_shape)) for s in sweep.stages)
    pairs = zip(sweep.stages, specs, strict=True)
    return sweep.with_stages(tuple(replace(stage, spec=spec) for stage, spec in pairs))


class _Counts(NamedTuple):
    """Numbers of planes that belong to the first 0, 1, 2, ... results of a stage."""

    made: Counts
    """Results that are made when so many are wanted."""
    needed: Counts
    """Planes of its input that it has taken, at the most."""
    taken: Counts
    """Planes of its input that it has taken, at the least."""
    dropped: Counts
    """Planes of its input that it keeps no longer."""

    @classmethod
    def of(cls, kind: Kind[Any], at: At[Any]) -> "_Counts":
        """Ask a kind for its counts."""
        results = np.arange(1, at.given.planes + 1)
        needed = kind.needed(at, results)
        rest = (kind.taken(at, results), kind.dropped(at, results))
        return cls(*(np.append(0, n) for n in (at.stage.made(results), needed, *rest)))


class _View(NamedTuple):
    """Planes of a stage that a stream keeps and asks for, when it has taken 0, 1, 2, ... planes."""

    first: Counts
    """The first plane that it keeps."""
    asked: Counts
    """Number of planes that are made for it."""


@dataclass(frozen=True)
class _Stream:
    """A stream that is pulled.

    Attributes
    ----------
    reads
        The stage whose planes it takes.
    planes, takes
        Planes that there are, and that it takes.
    gives
        Whether it has a plane to give before it takes the next one.
    pace
        The stages with a pace of their own that it depends on.
    views
        By stage, its view.
    """

    reads: int
    planes: int
    takes: int
    gives: bool
    pace: frozenset[int]
    views: Mapping[int, _View]

    @property
    def taken(self) -> Counts:
        """Planes that it has taken when it is to take its next one, or to give one."""
        return np.arange(self.takes) + self.gives

    def meanwhile(self, other: "_Stream", i: int, now: Counts) -> Counts:
        """Return the planes of stage `i` that another stream asks for before this one's next plane.

        Streams of one pace take turns. Another one may ask for all that there is `now`.
        """
        if self.pace != other.pace or len(self.pace) > 1:
            return now
        behind = self.taken * other.planes // self.planes
        return other.views[i].asked[np.minimum(behind + 1, other.takes)]


def _streams(sweep: Sweep, counts: Sequence[_Counts]) -> Iterator[_Stream]:
    paces = _paces(sweep)
    for i, (kind, at) in enumerate(sweep.asked):
        if i in sweep.drained:
            n = at.given.planes
            yield _Stream(i, n, n, False, paces[i], _views(sweep, counts, i, n, 0))
        if kind.has_own_pace:
            (j,), n = at.stage.inputs, at.taken.planes
            takes = int(counts[i].needed[-1])
            for gives in (False, True):
                views = _views(sweep, counts, j, takes, kind.keeps(at) - (not gives))
                yield _Stream(j, n, takes, gives, paces[j], views)


def _paces(sweep: Sweep) -> list[frozenset[int]]:
    """Return, for each stage, the stages with a pace of their own that its planes come from."""
    found: list[frozenset[int]] = []
    for i, (kind, at) in enumerate(sweep.asked):
        before = frozenset[int]().union(*(found[j] for j in at.stage.inputs))
        found.append(frozenset({i}) if kind.has_own_pace else before)
    return found


def _views(
    sweep: Sweep, counts: Sequence[_Counts], i: int, takes: int, keeps: int
) -> dict[int, _View]:
    """Return the view that a stream of stage `i` has of each stage before it."""
    z = np.arange(takes + 1)
    least, most, first = {i: z}, {i: z}, {i: np.maximum(z - keeps, 0)}
    found: dict[int, _View] = {}
    for j in reversed(range(i + 1)):  # inputs stand before
        if j not in most:
            continue
        (kind, at), count = sweep.asked[j], counts[j]
        found[j] = _View(first[j], count.made[most[j]])
        kept_from = first[j] if kind.passes_on else count.dropped[least[j]]
        for k in at.stage.inputs if not kind.has_own_pace else ():
            most[k] = np.maximum(most.get(k, 0), count.needed[most[j]])
            least[k] = np.maximum(least.get(k, 0), count.taken[least[j]])
            first[k] = np.minimum(first.get(k, kept_from), kept_from)
    return found
