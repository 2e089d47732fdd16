"""The catalogue of ops: one small class an op, one file a family.

The classes can be imported from here: ``from hoaconv.ops import Gaussian``. They are loaded when
they are asked for, since kernels take a while to import.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "arithmetic": "Abs Add Divide Exp Gamma Invert Log Multiply Sqrt Square Subtract",
    "convolution": "Convolve",
    "derivative": "GradientMagnitude Laplace Sobel",
    "edges": "Bilateral NonMaxSuppression StructureTensor",
    "geometry": "Crop Flip Pad Rotate90 TransposeXY",
    "local": "Std Uniform",
    "measure": "Histogram Percentiles",
    "morphology": "Blackhat Close Dilate Erode Gradient Open Tophat",
    "objects": "FillHoles RemoveSmall",
    "operands": "Mask Where",
    "ordinal": "Median Percentile",
    "pointwise": "Between Cast Clip Normalize Rescale Threshold",
    "projections": "Projection",
    "rank": "Max Min",
    "sampling": "Bin Resize",
    "sharpen": "DifferenceOfGaussians Unsharp",
    "smooth": "Gaussian",
    "statistics": "Profile Stats Volume",
    "table": "Equalize Lut",
}
"""Classes by their module."""

_MODULES = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"hoaconv.ops.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'hoaconv.ops' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_MODULES)
