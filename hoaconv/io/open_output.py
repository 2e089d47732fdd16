"""A store that several sweeps write one after the other: one claim, and what each has counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from hoaconv.errors import StoreError
from hoaconv.io.addition import Addition
from hoaconv.io.claims import AnyClaim, claim_of
from hoaconv.io.contents import SCRATCH, ZARR_FILES
from hoaconv.io.leading import Leading
from hoaconv.io.output import OutputSink
from hoaconv.io.zarr import Counts

__all__ = ["InTurn", "OpenOutput"]


@dataclass(eq=False)
class OpenOutput:
    """The folder of a store while it is written.

    Attributes
    ----------
    path
        The folder.
    overwrite
        Whether a store that is there is replaced.
    made
        Names in the folder that the run makes, besides metadata and scratch.
    claims
        Claims what is added to a store that is there; None where a store is made.
    kept
        What sweeps leave for the one that writes the metadata, by their names for it.
    """

    path: Path
    overwrite: bool
    made: Sequence[str] = ()
    claims: Callable[[], Addition] | None = None
    kept: dict[Any, Any] = field(default_factory=dict)
    _claim: AnyClaim | Addition | None = None
    _counts: dict[Path, Counts] = field(default_factory=dict)

    def claim(self) -> None:
        """Claim the folder, unless an earlier sweep has. Raise StoreError where that can't be."""
        if self._claim is None:
            made = self.claims
            self._claim = made() if made else claim_of(self.path, overwrite=self.overwrite)

    def check(self) -> None:
        """Raise StoreError if the folder isn't this run's; remove what was there before."""
        if self._claim is not None:
            self._claim.check()
            self._claim.begin()

    def counts(self, array: Path) -> Counts:
        """Return what the sweeps have counted of an array."""
        return self._counts.setdefault(array, Counts())

    def finish(self) -> None:
        """Put the store on disk and take its mark away. If that fails, all of it stays as it is."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.finish()

    def abandon(self) -> bool:
        """Remove what all sweeps have written; return whether anything was.

        Raises
        ------
        StoreError
            If it can't be removed.
        """
        claim, self._claim = self._claim, None
        files = [name + end for name in ZARR_FILES for end in ("", ".tmp")]
        try:
            return claim is not None and claim.abandon([*self.made, *files, SCRATCH])
        except OSError as error:
            raise StoreError(f"{self.path}: what was written stays: {error}") from error


class InTurn(OutputSink):
    """A sink that writes one volume of its output, of which there may be others.

    A subclass is a frozen dataclass.

    Attributes
    ----------
    leading
        The times and channels of the output, and which of them is written.
    store
        The output's store, where several sweeps write it.
    """

    leading: Leading
    store: OpenOutput | None

    def at(self, leading: Leading) -> Self:
        """Return the sink of another volume of the same output."""
        made: Self = replace(self, leading=leading)  # type: ignore[type-var]
        return made

    def give_up(self) -> bool:
        """Remove what earlier sweeps have written; return whether anything was there."""
        return self.store is not None and self.store.abandon()
