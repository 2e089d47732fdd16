"""``hoaconv demo``: a phantom stack, converted, for those who have no data at hand."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hoaconv.api import stack_to_omezarr
from hoaconv.errors import StoreError
from hoaconv.job.watching import Watcher

if TYPE_CHECKING:
    from hoaconv.job.report import Report

__all__ = ["demo"]

SHAPE = (96, 512, 500)
VOXEL_SIZE = 19.57
FOLDER = f"{VOXEL_SIZE}um_phantom_jp2_"


def demo(
    folder: str | os.PathLike[str] = "hoaconv-demo",
    *,
    overwrite: bool = False,
    watcher: Watcher | None = None,
) -> "Report":
    """Write a small phantom JP2 stack into `folder` and convert it with an op.

    The stack is named as the Human Organ Atlas names its own, so that the voxel size is found.

    Raises
    ------
    StoreError
        If the demo's stack is there already or can't be written.
    """
    from hoaconv.io.phantom import Phantom  # noqa: PLC0415 - codecs take longer than all help
    from hoaconv.io.slice_files import write_jp2_stack  # noqa: PLC0415 - as above

    watcher = watcher or Watcher()
    stack = Path(folder) / FOLDER
    if stack.exists() and not overwrite:
        raise StoreError(f"{stack} exists; name another folder, or replace it with --overwrite")
    watcher.note(f"making {SHAPE[0]} JP2 slices of {SHAPE[1]} x {SHAPE[2]} in {stack}")
    write_jp2_stack(Phantom(SHAPE), stack)
    return stack_to_omezarr(
        stack,
        Path(folder) / "phantom.zarr",
        ops="gaussian 1.0",
        overwrite=overwrite,
        watcher=watcher,
    )
