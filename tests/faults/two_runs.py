"""Two runs begin on one output at nearly the same time: one wins, the other is told."""

import time
from pathlib import Path

import numpy as np

from .programs import finish, in_words, start
from .stores import differs, options, tree, volume, write_tiffs
from .trials import Group, Try, Unexpected

__all__ = ["GROUP"]

STORE = 5


def _two(*, overwrite: bool, there: bool) -> Try:
    def attempt(rng: np.random.Generator, folder: Path) -> None:
        dst, shape = folder / "o.zarr", (int(rng.integers(2, 50)), 150, 160)
        volumes = [volume(rng, shape) for _ in range(2 + there)]
        sources = [write_tiffs(folder / f"in{n}", planes) for n, planes in enumerate(volumes)]
        if there:
            in_words(finish(start(sources[2], dst, "--quiet", "--levels", "1")))
        more = ["--overwrite"] if overwrite else []
        words = [[src, dst, "--quiet", *options(rng), *more] for src in sources[:2]]
        offset = float(rng.choice([0, rng.uniform(0, 0.3), rng.uniform(0, 3)]))
        others = {name: content for name, content in tree(folder).items() if "o.zarr" not in name}
        processes = []
        try:
            for command in words:
                processes.append(start(*command))
                time.sleep(offset * (len(processes) == 1))
            ends = [finish(p, note=f" # offset {offset:.3f} s") for p in processes]
        finally:
            for process in processes:
                if process.poll() is None:
                    process.kill()
                    process.communicate()
        for done in ends:
            in_words(done, STORE)
        won = [n for n, done in enumerate(ends) if done.code == 0]
        told = "; ".join(f"{done.code}: {done.stderr.strip()}" for done in ends)
        if not won or (len(won) > 1 and not overwrite):
            raise Unexpected(f"{len(won)} of 2 runs won ({told})", ends[0])
        wrong = [differs(dst, volumes[n]) for n in won]
        if all(wrong):
            raise Unexpected(f"the winner's store isn't right: {wrong[0]} ({told})", ends[won[0]])
        after = {name: content for name, content in tree(folder).items() if "o.zarr" not in name}
        if after != others:
            raise Unexpected("there are traces beside the output", ends[0])

    return attempt


GROUP = Group(
    "two runs",
    {
        "nothing there": _two(overwrite=False, there=False),
        "nothing there, --overwrite": _two(overwrite=True, there=False),
        "a store there, --overwrite": _two(overwrite=True, there=True),
    },
)
