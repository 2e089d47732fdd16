"""Volumes read plane by plane, or swept, and the chunks that are decoded meanwhile."""

import numpy as np
import tensorstore as ts
from in_memory import Keep
from sized import with_sizes

from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits


def planes_of(source):
    made = np.zeros(source.spec.shape, source.spec.dtype)
    for z, plane in enumerate(made):
        source.read(z, plane)
    return made


def swept(source, *parts, workers=2, ahead=None):
    sink = Keep()
    plan = Plan.read(source)
    for part in parts:
        plan |= part
    made = schedule(plan | sink, Limits(1 << 40, workers))
    if ahead is not None:
        made = with_sizes(made, 1, 16, ahead)
    run(made)
    return sink.volume


def decoded_while(function):
    """Chunks that tensorstore has decoded meanwhile."""
    name = "/tensorstore/cache/chunk_cache/reads"

    def count():
        found = ts.experimental_collect_matching_metrics(name)
        return found[0]["values"][0]["value"] if found and found[0]["values"] else 0

    before = count()
    function()
    return count() - before
