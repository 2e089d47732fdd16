"""Convert JP2 and TIFF slice stacks to OME-Zarr pyramids in one sweep, under a memory budget.

`hoaconv.open` opens a volume, `hoaconv.ops` has the ops, and `hoaconv.OmeZarr` is an image to
write. Examples in docstrings begin with ``import numpy as np``, ``import hoaconv as hc`` and
``from hoaconv import ops``; ``slices/`` is a folder of 8 TIFF slices of 16 x 16 voxels of uint16.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hoaconv import ops as ops
    from hoaconv.api import omezarr_to_stack, plan, rechunk, stack_to_omezarr, stats
    from hoaconv.api.adding import add_labels, add_pyramid
    from hoaconv.api.layouts import convert, transpose
    from hoaconv.api.parts import cutout, info
    from hoaconv.api.stores import pack
    from hoaconv.engine.machine import tune_malloc
    from hoaconv.errors import Cancelled, HoaconvError
    from hoaconv.job.hdf5 import Hdf5
    from hoaconv.job.info import Info, Infos
    from hoaconv.job.job import Job
    from hoaconv.job.n5 import N5
    from hoaconv.job.ome_zarr import OmeZarr
    from hoaconv.job.opening import open
    from hoaconv.job.pack import Packed
    from hoaconv.job.precomputed import Precomputed
    from hoaconv.job.rechunk_report import Rechunked
    from hoaconv.job.report import Report
    from hoaconv.job.run_plan import RunPlan
    from hoaconv.job.stack import Stack
    from hoaconv.job.statistics_report import Statistics
    from hoaconv.job.storing import store
    from hoaconv.job.volume import Volume
    from hoaconv.job.watching import Progress, Watcher
    from hoaconv.job.zarr_output import Zarr
    from hoaconv.ops.declare import op

__all__ = [
    "N5",
    "Cancelled",
    "Hdf5",
    "HoaconvError",
    "Info",
    "Infos",
    "Job",
    "OmeZarr",
    "Packed",
    "Precomputed",
    "Progress",
    "Rechunked",
    "Report",
    "RunPlan",
    "Stack",
    "Statistics",
    "Volume",
    "Watcher",
    "Zarr",
    "__version__",
    "add_labels",
    "add_pyramid",
    "convert",
    "cutout",
    "info",
    "omezarr_to_stack",
    "op",
    "open",
    "ops",
    "pack",
    "plan",
    "rechunk",
    "stack_to_omezarr",
    "stats",
    "store",
    "transpose",
    "tune_malloc",
]

_HOMES = {
    "Cancelled": "hoaconv.errors",
    "Hdf5": "hoaconv.job.hdf5",
    "HoaconvError": "hoaconv.errors",
    "Info": "hoaconv.job.info",
    "Infos": "hoaconv.job.info",
    "Job": "hoaconv.job.job",
    "OmeZarr": "hoaconv.job.ome_zarr",
    "Packed": "hoaconv.job.pack",
    "N5": "hoaconv.job.n5",
    "Precomputed": "hoaconv.job.precomputed",
    "Progress": "hoaconv.job.watching",
    "Rechunked": "hoaconv.job.rechunk_report",
    "Report": "hoaconv.job.report",
    "RunPlan": "hoaconv.job.run_plan",
    "Stack": "hoaconv.job.stack",
    "Statistics": "hoaconv.job.statistics_report",
    "Volume": "hoaconv.job.volume",
    "Watcher": "hoaconv.job.watching",
    "convert": "hoaconv.api.layouts",
    "transpose": "hoaconv.api.layouts",
    "cutout": "hoaconv.api.parts",
    "Zarr": "hoaconv.job.zarr_output",
    "omezarr_to_stack": "hoaconv.api",
    "info": "hoaconv.api.parts",
    "add_labels": "hoaconv.api.adding",
    "add_pyramid": "hoaconv.api.adding",
    "op": "hoaconv.ops.declare",
    "open": "hoaconv.job.opening",
    "pack": "hoaconv.api.stores",
    "plan": "hoaconv.api",
    "rechunk": "hoaconv.api",
    "stack_to_omezarr": "hoaconv.api",
    "stats": "hoaconv.api",
    "store": "hoaconv.job.storing",
    "tune_malloc": "hoaconv.engine.machine",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    # numba and tensorstore take a while to import: only those who convert wait for them.
    if name == "ops":
        return import_module("hoaconv.ops")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hoaconv' has no attribute {name!r}")
