"""The contract of sinks that write files: where these lie, and how large they get."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from hoaconv.engine.contract import Sink
from hoaconv.engine.spec import Spec
from hoaconv.io.leading import Leading
from hoaconv.io.scratch import ScratchFolder, waiting_place

__all__ = ["OutputSink"]

_SUFFIX = re.compile(r"(\.ome)?\.(zarr|tiff?)$", re.I)


class OutputSink(Sink):
    """A sink whose files stay when the run is over. A subclass is a frozen dataclass.

    `hoaconv.engine.contract.Writer.close` of its writer returns a row of the report: ``path``,
    ``files`` and ``bytes`` as written, and ``levels`` where there is a pyramid.

    Attributes
    ----------
    path
        The folder or file that is made.
    overwrite
        Whether what is there may be replaced.
    """

    path: Path
    overwrite: bool

    has_levels: ClassVar[bool] = False
    """True if smaller levels are written beside the voxels."""

    @abstractmethod
    def raw_bytes(self, spec: Spec) -> int:
        """Return the bytes on disk if nothing is compressed: the most that it writes."""

    def notes(self, spec: Spec) -> tuple[str, ...]:  # noqa: ARG002 - the contract
        """Return remarks for the user on planes of `spec`, such as what isn't told of them."""
        place = waiting_place(self.path)
        if place is None or self.is_part:
            return ()
        return (f"what doesn't fit in memory waits in {place}, or in the folder of `scratch`",)

    @property
    def is_part(self) -> bool:
        """True if it lies in the folder of another output of the run, whose sink claims that."""
        return False

    @property
    def scratch_place(self) -> Path:
        """The folder in or under which something of its own waits: see `Sink.scratch_bytes`."""
        return waiting_place(self.path) or self.path

    def scratch_for_job(self, under: Path | None) -> ScratchFolder:
        """Return the place of what the whole job lets wait, if this is its main output.

        Parameters
        ----------
        under
            The folder that the user has named for it; None for the output itself.
        """
        return ScratchFolder.of(self.path, under)

    @property
    def stem(self) -> str:
        """The name without its suffix; names of files beside the output begin with it."""
        return _SUFFIX.sub("", self.path.name) or self.path.name

    def at(self, leading: Leading) -> "OutputSink":  # noqa: ARG002 - of one volume
        """Return the sink of another volume of the same output, at another time or channel."""
        return self

    def give_up(self) -> bool:
        """Remove what earlier sweeps have written, if they left something; return whether it was.

        Raises
        ------
        StoreError
            If it can't be removed.
        """
        return False

    def record(self, values: Mapping[str, Any]) -> int:  # noqa: ARG002 - the contract
        """Put what a run tells of itself into what is written; return the bytes that it takes.

        Where the format has no place for it, nothing is done.

        Raises
        ------
        StoreError
            If it can't be written; the output is complete all the same.
        """
        return 0
