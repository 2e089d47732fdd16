"""Bytes that stages of several kinds hold alike: planes of output, and bands in threads."""

from math import ceil
from typing import Any

from hoaconv.engine.contract import Use
from hoaconv.engine.spec import Spec
from hoaconv.engine.stages.stage import At, Stage

__all__ = ["bands_of", "in_bands", "output"]


def output(at: At[Any], planes: int) -> Use:
    """Return what a stage's own planes take."""
    return Use(str(at.part), f"{planes} planes of output", planes * at.given.plane_bytes)


def in_bands(at: At[Any], workers: int, nbytes: int) -> Use:
    """Return what all threads hold that make bands, each of them `nbytes`."""
    threads = min(workers + 1, bands_of(at.given, at.stage))
    return Use(str(at.part), f"bands in {threads} threads", threads * nbytes)


def bands_of(spec: Spec, stage: Stage) -> int:
    """Return the bands of a plane, each of which one thread makes, or takes."""
    return ceil(spec.plane_shape[0] / max(1, stage.rows))
