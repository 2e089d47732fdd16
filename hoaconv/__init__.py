"""Convert JP2 and TIFF slice stacks to OME-Zarr pyramids in one sweep, under a memory budget."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hoaconv.convert import plan, stack_to_omezarr, stats
    from hoaconv.errors import HoaconvError
    from hoaconv.job.opening import open
    from hoaconv.job.volume import Volume
    from hoaconv.ops.declare import op
    from hoaconv.report import Progress, Report, Statistics, Watcher

__all__ = [
    "HoaconvError",
    "Progress",
    "Report",
    "Statistics",
    "Volume",
    "Watcher",
    "__version__",
    "op",
    "open",
    "plan",
    "stack_to_omezarr",
    "stats",
]

_HOMES = {
    "HoaconvError": "hoaconv.errors",
    "Progress": "hoaconv.report",
    "Report": "hoaconv.report",
    "Statistics": "hoaconv.report",
    "Volume": "hoaconv.job.volume",
    "Watcher": "hoaconv.report",
    "op": "hoaconv.ops.declare",
    "open": "hoaconv.job.opening",
    "plan": "hoaconv.convert",
    "stack_to_omezarr": "hoaconv.convert",
    "stats": "hoaconv.convert",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    # numba and tensorstore take a while to import: only who converts waits for them.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hoaconv' has no attribute {name!r}")
