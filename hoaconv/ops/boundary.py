"""Boundary modes as a parameter of ops."""

from hoaconv.kernels.boundary import MODES
from hoaconv.ops.kinds import Kind, choice

__all__ = ["BOUNDARY", "boundary"]


def boundary(*modes: str) -> Kind:
    """Take one of some modes; explain why scipy's and numpy's `wrap` is missing."""
    kind = choice(*modes)

    def accept(value: object) -> str:
        if value == "wrap":
            raise ValueError(f"one of {', '.join(modes)} (the far side isn't in memory in a sweep)")
        return str(kind.accept(value))

    return Kind(kind.name, accept, kind.spell)


BOUNDARY = boundary(*MODES)
