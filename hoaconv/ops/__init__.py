"""Ops: for each a class, and a function that applies it to a volume, an array or a path.

``ops.Gaussian(1.5)`` is an op, as in ``volume | ops.Gaussian(1.5)``. The function call
``ops.gaussian("slices/", 1.5)`` opens the slices and applies the op. Each family of ops is a module
of this package.

Classes and functions are loaded when they are asked for, since kernels take a while to import. The
functions are defined in `hoaconv.job.functions`, above the ops.
"""

from difflib import get_close_matches
from importlib import import_module
from typing import Any

_HOMES = {
    "arithmetic": "Abs Add Divide Exp Gamma Invert Log Multiply Sqrt Square Subtract",
    "convolution": "Convolve",
    "derivative": "GradientMagnitude Laplace Sobel",
    "edges": "Bilateral NonMaxSuppression StructureTensor",
    "cropping": "Crop",
    "geometry": "Flip Pad Rotate90 TransposeXY",
    "local": "Std Uniform",
    "measure": "Histogram Percentiles",
    "morphology": "Blackhat Close Dilate Erode Gradient Open Tophat",
    "objects": "FillHoles RemoveSmall",
    "operands": "Mask Where",
    "ordinal": "Median Percentile",
    "pointwise": "Between Cast Clip Normalize Rescale Threshold",
    "precision": "Quantize",
    "projections": "Projection",
    "rank": "Max Min",
    "sampling": "Bin Resize",
    "sharpen": "DifferenceOfGaussians Unsharp",
    "smooth": "Gaussian",
    "statistics": "Profile Stats Volume",
    "table": "Equalize Lut",
    "transposition": "Transpose",
}
"""Classes by their module."""

MODULES = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = list(MODULES)


_WORDS = """
    abs add between bilateral bin blackhat cast clip close convolve crop dilate divide dog
    equalize erode exp fill_holes flip gamma gaussian gradient gradient_magnitude histogram
    invert laplace li log lut mask max mean median min moments multiply non_max_suppression
    normalize open otsu pad percentile percentiles profile projection quantize remove_small
    rescale resize rotate90 sobel sqrt square stats std structure_tensor subtract sum threshold
    tophat transpose transpose_xy uniform unsharp volume where
"""

FUNCTIONS = _WORDS.split()
"""Functions of a volume: all words of the catalogue, thresholds and reductions.

They aren't in `__all__`: some would hide functions of Python.
"""


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return getattr(import_module(f"hoaconv.ops.{MODULES[name]}"), name)
    if name in FUNCTIONS:
        return import_module("hoaconv.job.functions").function(name)
    if name.replace("_", "-") in import_module("hoaconv.ops.declare").OPS:  # one of the user's
        return import_module("hoaconv.job.functions").function(name)
    known = [*MODULES, *FUNCTIONS]
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise AttributeError(f"module 'hoaconv.ops' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted([*MODULES, *FUNCTIONS])
