"""Outputs of a job that lie on disk, as the user declares them: their common contract.

Each kind is a frozen dataclass derived from `Output`, with its options. `hoaconv.job.sinks` says
which sink of the engine writes it. These modules import no kernels, so that the help of the command
line appears at once.
"""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hoaconv.errors import SpellingError
from hoaconv.io.url import as_path
from hoaconv.job.declared import FLAG, Options, PathLike, option

__all__ = ["Output"]


@dataclass(frozen=True)
class Output(Options, ABC):
    """A folder or file to write; ``volume | output`` is a job.

    Attributes
    ----------
    path
        The folder or file to make.
    overwrite
        Whether an output of the same kind that is there is replaced.
    """

    path: PathLike = field()
    overwrite: bool = option(FLAG, "replace DST if it is there", "Output", "", False)

    takes_several: ClassVar[bool] = False
    """True if all channels and times of a source may be written to one."""

    __array_ufunc__ = None  # NumPy leaves ``array | Output(...)`` to `__ror__`

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.path, str | os.PathLike):
            kind = type(self.path).__name__
            raise SpellingError(f"the output is a {kind}; expected the path of {self.place}")
        object.__setattr__(self, "path", as_path(self.path) if os.fspath(self.path) else self.path)

    @property
    @abstractmethod
    def what(self) -> str:
        """The kind of output, in words, such as ``OME-Zarr image``."""

    @property
    def place(self) -> str:
        """The kind of place that `path` names: a folder or a file."""
        return "a folder"

    @property
    def is_part(self) -> bool:
        """True if it lies in another output of the job, which stands for its path."""
        return False

    @property
    def in_place(self) -> bool:
        """True if it is added to a store that is there, from which it may be read too."""
        return False

    @property
    def downsampled_by(self) -> str | None:
        """The method by which the voxels are averaged to lower levels; None without levels."""
        return None

    @abstractmethod
    def check_name(self) -> None:
        """Raise an error if nothing of this kind can have its path; look at no content.

        Raises
        ------
        SpellingError
            If the path is empty, or an address.
        StoreError
            If it is that of another format, or can't be had.
        """

    @abstractmethod
    def check_free(self) -> None:
        """Raise StoreError if what is there is in the way; change nothing."""

    def __ror__(self, array: Any) -> Any:
        """Raise SpellingError: only a volume can be written, and its own ``|`` makes a job."""
        shown = f"{type(self).__name__}({str(self.path)!r})"
        if not isinstance(array, str | os.PathLike) and not getattr(array, "shape", ()):
            raise SpellingError(
                f"a {type(array).__name__} can't be written; if it belongs to a comparison, put "
                f"that in brackets: (volume > 3) | {shown}"
            )
        raise SpellingError(
            f"a {type(array).__name__} can't be written; open it first: hoaconv.open(...) | {shown}"
        )
