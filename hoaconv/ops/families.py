"""The families of the catalogue: modules that declare ops, loaded when an op is asked for."""

from functools import cache
from importlib import import_module
from types import ModuleType

__all__ = ["families"]

_NAMES = (
    "smooth",
    "local",
    "sharpen",
    "convolution",
    "pointwise",
    "precision",
    "arithmetic",
    "operands",
    "table",
    "derivative",
    "edges",
    "rank",
    "ordinal",
    "morphology",
    "cropping",
    "geometry",
    "transposition",
    "sampling",
    "measure",
    "statistics",
    "projections",
    "objects",
)


@cache
def families() -> tuple[ModuleType, ...]:
    """Import all families, so that every op is declared: a run without ops does without them."""
    return tuple(import_module(f"hoaconv.ops.{name}") for name in _NAMES)
