"""The contract of image formats with a sink of slices: planes that they hold, their encoding."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import isclose
from typing import IO, ClassVar

from hoaconv.engine.spec import Plane, Spec
from hoaconv.io.voxel_size import in_micrometer

__all__ = ["PlaneEncoder"]


class PlaneEncoder(ABC):
    """An image format, with its options. A subclass is a frozen dataclass.

    Attributes
    ----------
    what
        The format in words.
    suffix
        The end of a file's name.
    """

    what: ClassVar[str]
    suffix: ClassVar[str]

    @abstractmethod
    def refusal(self, spec: Spec) -> str | None:
        """Return the reason why the format doesn't hold planes of `spec`; None if it does."""

    def notes(self, spec: Spec) -> Iterator[str]:
        """Give remarks for the user on what the format doesn't tell of the voxels.

        By default: what a format that tells edges along y and x alone can't tell.
        """
        edges = in_micrometer(spec.geometry)
        if edges and not all(isclose(edges[0], edge, rel_tol=1e-3) for edge in edges[1:]):
            z, y, x = (f"{edge:.6g}" for edge in edges)
            yield (
                f"{self.what} slices tell the size of a voxel along y and x alone, and it is {z} x "
                f"{y} x {x} micrometer; give `voxel_size` to whoever reads them"
            )

    @abstractmethod
    def encode(self, plane: Plane, spec: Spec, out: IO[bytes]) -> None:
        """Write a plane (y, x) of `spec` as a whole image, with one thread, without the GIL.

        Raises
        ------
        OSError
            If it can't be written.
        """

    @abstractmethod
    def work(self, spec: Spec) -> int:
        """Return the most bytes that a thread holds while it encodes a plane, besides the plane."""

    @property
    @abstractmethod
    def encoding(self) -> float:
        """Nominal nanoseconds in which a thread encodes a byte of a plane."""

    def __str__(self) -> str:
        return self.what
