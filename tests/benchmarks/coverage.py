"""How often an interval of a sample holds the true value: python -m tests.benchmarks.coverage.

Volumes of 300 small slices are made anew every few draws, so that the numbers tell of a kind of
volume and not of one. Slices are drawn, dealt, counted and judged by hoaconv's own code, only its
engine is left out. Three other ways are measured beside it: slices drawn from anywhere, which one a
stratum is where the slices are in random order; and both by a delete-a-group jackknife.
"""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np

from hoaconv.engine.passes.sample import draw, halves
from hoaconv.engine.sampling import Drawn, Intervals, half_samples, interval, together
from hoaconv.engine.spec import Slab, Spec
from hoaconv.ops.summary import Summary

SLICES, EDGE = 300, 8
DRAWS = 400
DRAWS_A_VOLUME = 4
FOLD = Summary(1, (0.5, 50.0, 95.0, 99.5), ("otsu",))
ENDS = partial(FOLD.ends, spec=Spec((SLICES, EDGE, EDGE), np.dtype("uint8")))
NAMES = ("mean", "std", "p0.5", "p50", "p95", "p99.5", "otsu")

Random = np.random.Generator


def _noise(random: Random, deviation: float) -> Slab:
    return random.normal(0, deviation, (SLICES, EDGE, EDGE))


def _by_slice(levels: Any) -> Slab:
    return np.reshape(levels, (SLICES, 1, 1))


def _alike(random: Random) -> Slab:
    return 70 + _noise(random, 15)


def _offset(random: Random) -> Slab:
    return _alike(random) + _by_slice(random.normal(0, 15, SLICES))


def _trend(random: Random) -> Slab:
    return _alike(random) + _by_slice(np.linspace(0, 120, SLICES) + random.normal(0, 8, SLICES))


def _organ(random: Random) -> Slab:
    """The share of the brighter of two tissues is a bell along z."""
    bell = np.exp(-(np.linspace(-2.5, 2.5, SLICES) ** 2)) * 0.6
    share = _by_slice(bell * random.normal(1, 0.1, SLICES))
    return _alike(random) + 100 * (random.random((SLICES, EDGE, EDGE)) < share)


def _walk(random: Random) -> Slab:
    steps = np.cumsum(random.normal(0, 1, SLICES))
    return _alike(random) + _by_slice((steps - steps.mean()) / steps.std() * 20)


def _rare(random: Random) -> Slab:
    bright = random.permutation(SLICES) < SLICES // 20
    return _alike(random) + _by_slice(bright * 120)


ROWS: Sequence[tuple[str, Callable[[Random], Slab], Sequence[int]]] = (
    ("all alike", _alike, (20,)),
    ("normal offset a slice", _offset, (10, 20, 50)),
    ("trend along z", _trend, (10, 20, 50)),
    ("organ: bell along z, two tissues", _organ, (10, 20, 50)),
    ("random walk", _walk, (10, 20, 50)),
    ("5 % of the slices far brighter", _rare, (10, 20, 50)),
)


def _counted(volume: Slab) -> list[Any]:
    """A state for each slice: draws of the same volume share them."""
    voxels = volume.round().clip(0, 255).astype(np.uint8)
    spec = Spec((1, EDGE, EDGE), voxels.dtype)
    states = [FOLD.init(spec) for _ in voxels]
    for state, plane in zip(states, voxels, strict=True):
        FOLD.step(state, plane)
    return states


def judge(states: Sequence[Any], count: int, seed: int) -> Intervals:
    """The intervals of a sample of slices, each of which has a state."""
    groups = halves(draw(len(states), count, seed))
    own = [reduce(FOLD.merge, [states[z] for z in group]) for group in groups]
    sample = Drawn(count, len(states))
    return interval(together(FOLD, own), half_samples(FOLD, own), sample, ENDS)


def jackknife(states: Sequence[Any], count: int, seed: int) -> Intervals:
    """The same by what might do instead: each tenth stratum a group, one after the other left out.

    Of the plain sample it is the interval that hoaconv had before.
    """
    slices, groups = draw(len(states), count, seed), 10
    own = [reduce(FOLD.merge, [states[z] for z in slices[g::groups]]) for g in range(groups)]
    value = together(FOLD, own)
    others = [together(FOLD, own[:g] + own[g + 1 :]) for g in range(groups)]
    found: dict[str, tuple[float, float]] = {}
    for name in NAMES:
        spread = np.var([other[name] for other in others]) * (groups - 1) * (1 - count / SLICES)
        margin = 2.262 * float(np.sqrt(spread))
        low, high = ENDS(name)
        found[name] = (max(value[name] - margin, low), min(value[name] + margin, high))
    return found


WAYS = ((judge, False), (judge, True), (jackknife, False), (jackknife, True))
"""How intervals are made, and whether the slices are in random order: a plain sample."""


def _row(make: Callable[[Random], Slab], count: int) -> tuple[Any, Any]:
    """Per cent of the intervals that hold the truth, and mean widths; by ways and names."""
    random = np.random.default_rng(count)
    held, widths = np.zeros((2, len(WAYS), len(NAMES)))
    for k in range(DRAWS):
        if k % DRAWS_A_VOLUME == 0:
            states = _counted(make(random))
            truth = together(FOLD, states)
        anyhow, seed = (
            [states[z] for z in random.permutation(SLICES)],
            int(random.integers(1 << 30)),
        )
        for i, (way, plain) in enumerate(WAYS):
            found = way(anyhow if plain else states, count, seed)
            for j, name in enumerate(NAMES):
                low, high = found[name]
                held[i, j] += low <= truth[name] <= high
                widths[i, j] += high - low
    return held / DRAWS * 100, widths / DRAWS


def main() -> None:
    """Print a table a way: what intervals hold, and their widths as shares of a plain sample's."""
    print("| way | slices | sample |", " | ".join(NAMES), "|")
    print("|---|---|---|" + "---|" * len(NAMES))
    for title, make, counts in ROWS:
        for count in counts:
            held, widths = _row(make, count)
            for i, (way, plain) in enumerate(WAYS):
                cells = [
                    f"{inside:.0f} ({share:.2f})"
                    for inside, share in zip(held[i], widths[i] / widths[3], strict=True)
                ]
                name = f"{way.__name__}{', plain' if plain else ''}"
                print(f"| {name} | {title} | {count} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
