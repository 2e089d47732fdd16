"""Leads: first steps of ops, so that their steps end where the windows of their readers end.

An op makes `stride` planes in a step, and its reader needs `stride` planes and a halo for the first
of its own. If the steps of both began at plane 0, up to ``stride - 1`` planes that the reader
doesn't need yet would always wait between the two. A shorter first step shifts all others.
"""

from dataclasses import replace
from math import gcd

from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import Stage

__all__ = ["keeper", "waiting", "with_leads"]


def with_leads(sweep: Sweep) -> Sweep:
    """Return the sweep with the lead of each stage, which follows from the strides.

    In a chain of ops of one stride it is the sum of the halos of all ops behind, modulo the stride.
    """
    stages = list(sweep.stages)
    for i in reversed(range(len(stages))):  # readers stand behind
        j = keeper(sweep, i)
        first = 0 if j is None else stages[j].lead + stages[j].halo[0]
        stages[i] = replace(stages[i], lead=first % stages[i].stride)
    return sweep.with_stages(tuple(stages))


def keeper(sweep: Sweep, i: int) -> int | None:
    """Return the stage that keeps the planes of stage `i`, if it is the only one.

    It reads them where they have passed folds and sinks.
    """
    while sweep.branches(i) == 1 and sweep.readers[i]:
        (i,) = sweep.readers[i]
        if not sweep.asked[i][0].passes_on:
            return i
    return None


def waiting(stage: Stage, reader: Stage) -> int:
    """Return the most planes of a stage that are made before its only reader needs them.

    Steps end at ``lead + n * stride``, and the reader's windows at its own such numbers and a halo
    more. The two are 0 to ``stride - gcd`` apart, in steps of the greatest common divisor, if they
    ever meet.

    Examples
    --------
    >>> from hoaconv.engine.part import Part
    >>> waiting(Stage(Part(), (), stride=4), Stage(Part(), (), stride=6))
    2
    """
    common = gcd(stage.stride, reader.stride)
    apart = (stage.lead - reader.lead - reader.halo[0]) % common
    return stage.stride - common + apart
