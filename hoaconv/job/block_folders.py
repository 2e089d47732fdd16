"""Outputs that are folders of blocks, and neither zarr nor slices: their common options.

This module imports no kernels, so that the help of the command line appears at once.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, cast

from hoaconv.errors import StoreError
from hoaconv.io.folder import check_free
from hoaconv.io.kvstore import refused_name
from hoaconv.job.declared import FLAG, option, triple_of
from hoaconv.job.output import Output
from hoaconv.job.paths import OTHER_FORMATS, check_path

__all__ = ["BlockFolder"]

CHUNKS = (64, 64, 64)


@dataclass(frozen=True)
class BlockFolder(Output):
    """A folder of blocks to write.

    Parameters
    ----------
    path
        The folder to make.
    chunks
        Shape of a block in voxels, one number or (z, y, x); by default 64.
    overwrite
        If True, a folder of this kind that exists at `path` is replaced.
    """

    chunks: int | tuple[int, int, int] | str | None = option(
        triple_of("chunks"), "chunk shape, one number or z,y,x; default 64", "Output"
    )
    overwrite: bool = option(
        FLAG,
        "replace DST if it is such a folder; it is removed when the new one begins to be written",
        "Output",
        "",
        False,
    )

    suffix: ClassVar[str] = ""
    """The suffix of such folders; empty where they have none."""
    holds: ClassVar[tuple[str, str]]
    """Module and name of what such a folder holds; the module is slow to import."""

    @property
    def chunk(self) -> tuple[int, int, int]:
        """Shape of a block (z, y, x)."""
        return cast("tuple[int, int, int] | None", self.chunks) or CHUNKS

    def check_name(self) -> None:
        """Raise an error if no such folder can have its path; see `Output.check_name`."""
        check_path(self.path)
        path = Path(self.path)
        others = {*OTHER_FORMATS, ".zarr"} - {self.suffix}
        refused = refused_name(path.absolute())
        if refused is None and path.suffix.lower() in others:
            refused = (
                f"{path} has the suffix of another format; name the folder {path.stem}{self.suffix}"
            )
        if refused:
            raise StoreError(refused)

    def check_free(self) -> None:
        """Raise StoreError if what is there is in the way; change nothing."""
        module, name = self.holds
        holds: Any = getattr(import_module(module), name)
        check_free(Path(self.path), overwrite=self.overwrite, holds=holds)
