"""Types of the names that are loaded late; written by `hoaconv.job.stub`."""

from typing import Any, overload

from hoaconv.job.measured import Measured as _Measured
from hoaconv.job.scalar import Scalar as _Scalar
from hoaconv.job.volume import Volume as _Volume
from hoaconv.ops.arithmetic import Abs as Abs
from hoaconv.ops.arithmetic import Add as Add
from hoaconv.ops.arithmetic import Divide as Divide
from hoaconv.ops.arithmetic import Exp as Exp
from hoaconv.ops.arithmetic import Gamma as Gamma
from hoaconv.ops.arithmetic import Invert as Invert
from hoaconv.ops.arithmetic import Log as Log
from hoaconv.ops.arithmetic import Multiply as Multiply
from hoaconv.ops.arithmetic import Sqrt as Sqrt
from hoaconv.ops.arithmetic import Square as Square
from hoaconv.ops.arithmetic import Subtract as Subtract
from hoaconv.ops.convolution import Convolve as Convolve
from hoaconv.ops.cropping import Crop as Crop
from hoaconv.ops.derivative import GradientMagnitude as GradientMagnitude
from hoaconv.ops.derivative import Laplace as Laplace
from hoaconv.ops.derivative import Sobel as Sobel
from hoaconv.ops.edges import Bilateral as Bilateral
from hoaconv.ops.edges import NonMaxSuppression as NonMaxSuppression
from hoaconv.ops.edges import StructureTensor as StructureTensor
from hoaconv.ops.geometry import Flip as Flip
from hoaconv.ops.geometry import Pad as Pad
from hoaconv.ops.geometry import Rotate90 as Rotate90
from hoaconv.ops.geometry import TransposeXY as TransposeXY
from hoaconv.ops.local import Std as Std
from hoaconv.ops.local import Uniform as Uniform
from hoaconv.ops.measure import Histogram as Histogram
from hoaconv.ops.measure import Percentiles as Percentiles
from hoaconv.ops.morphology import Blackhat as Blackhat
from hoaconv.ops.morphology import Close as Close
from hoaconv.ops.morphology import Dilate as Dilate
from hoaconv.ops.morphology import Erode as Erode
from hoaconv.ops.morphology import Gradient as Gradient
from hoaconv.ops.morphology import Open as Open
from hoaconv.ops.morphology import Tophat as Tophat
from hoaconv.ops.objects import FillHoles as FillHoles
from hoaconv.ops.objects import RemoveSmall as RemoveSmall
from hoaconv.ops.operands import Mask as Mask
from hoaconv.ops.operands import Where as Where
from hoaconv.ops.ordinal import Median as Median
from hoaconv.ops.ordinal import Percentile as Percentile
from hoaconv.ops.pointwise import Between as Between
from hoaconv.ops.pointwise import Cast as Cast
from hoaconv.ops.pointwise import Clip as Clip
from hoaconv.ops.pointwise import Normalize as Normalize
from hoaconv.ops.pointwise import Rescale as Rescale
from hoaconv.ops.pointwise import Threshold as Threshold
from hoaconv.ops.precision import Quantize as Quantize
from hoaconv.ops.projections import Projection as Projection
from hoaconv.ops.rank import Max as Max
from hoaconv.ops.rank import Min as Min
from hoaconv.ops.sampling import Bin as Bin
from hoaconv.ops.sampling import Resize as Resize
from hoaconv.ops.sharpen import DifferenceOfGaussians as DifferenceOfGaussians
from hoaconv.ops.sharpen import Unsharp as Unsharp
from hoaconv.ops.smooth import Gaussian as Gaussian
from hoaconv.ops.statistics import Profile as Profile
from hoaconv.ops.statistics import Stats as Stats
from hoaconv.ops.statistics import Volume as Volume
from hoaconv.ops.table import Equalize as Equalize
from hoaconv.ops.table import Lut as Lut
from hoaconv.ops.transposition import Transpose as Transpose

__all__: list[str]
FUNCTIONS: list[str]
MODULES: dict[str, str]

def abs(source: Any, /) -> _Volume: ...
def add(source: Any, /, value: float | str) -> _Volume: ...
def between(source: Any, /, lo: float | str, hi: float | str) -> _Volume: ...
def bilateral(
    source: Any,
    /,
    sigma: float | tuple[float, float, float] | str,
    sigma_color: float | str,
    truncate: float | str = ...,
    mode: str = ...,
    cval: float | str = ...,
) -> _Volume: ...
def bin(source: Any, /, factor: int | tuple[int, int, int] | str, method: str = ...) -> _Volume: ...
def blackhat(
    source: Any,
    /,
    radius: int | tuple[int, int, int] | str,
    footprint: str = ...,
    mode: str = ...,
    cval: float | str = ...,
) -> _Volume: ...
def cast(source: Any, /, dtype: str) -> _Volume: ...
def clip(source: Any, /, lo: float | str, hi: float | str) -> _Volume: ...
def close(
    source: Any,
    /,
    radius: int | tuple[int, int, int] | str,
    footprint: str = ...,
    mode: str = ...,
    cval: float | str = ...,
) -> _Volume: ...
def convolve(source: Any, /, weights: str, mode: str = ..., cval: float | str = ...) -> _Volume: ...
def crop(
    source: Any, /, ranges: str | tuple[slice, slice, slice], fill: float | str = ...
) -> _Volume: ...
def dilate(
    source: Any,
    /,
    radius: int | tuple[int, int, int] | str,
    footprint: str = ...,
    mode: str = ...,
    cval: float | str = ...,
) -> _Volume: ...
def divide(source: Any, /, value: float | str) -> _Volume: ...
def dog(
    source: Any,
    /,
    low_sigma: float | tuple[float, float, float] | str,
    high_sigma: float | str | tuple[float, float, float] = ...,
    mode: str = ...,
    cval: float | str = ...,
    truncate: float | str = ...,
) -> _Volume: ...
def equalize(source: Any, /) -> _Volume: ...
def erode(
    source: Any,
    /,
    radius: int | tuple[int, int, int] | str,
    footprint: str = ...,
    mode: str = ...,
    cval: float | str = ...,
) -> _Volume: ...
def exp(source: Any, /) -> _Volume: ...
def fill_holes(source: Any, /, volume: int | str, connectivity: int | str = ...) -> _Volume: ...
def flip(source: Any, /, axes: str | tuple[str, ...]) -> _Volume: ...
def gamma(source: Any, /, value: float | str) -> _Volume: ...
def gaussian(
    source: Any,
    /,
    sigma: float | tuple[float, float, float] | str,
    mode: str = ...,
    cval: float | str = ...,
    truncate: float | str = ...,
) -> _Volume: ...
def gradient(
    source: Any,
    /,
    radius: int | tuple[int, int, int] | str,
    footprint: str = ...,
    mode: str = ...,
    cval: float | str = ...,
) -> _Volume: ...
def gradient_magnitude(
    source: Any,
    /,
    sigma: float | tuple[float, float, float] | str,
    mode: str = ...,
    cval: float | str = ...,
    truncate: float | str = ...,
) -> _Volume: ...
def histogram(
    source: Any, /, bins: int | str = ..., percentiles: float | tuple[float, ...] | str = ...
) -> _Measured: ...
def invert(source: Any, /) -> _Volume: ...
def laplace(source: Any, /, mode: str = ..., cval: float | str = ...) -> _Volume: ...
def li(source: Any, /) -> _Scalar: ...
def log(source: Any, /) -> _Volume: ...
def lut(source: Any, /, file: str, dtype: str = ...) -> _Volume: ...
def mask(source: Any, /, other: str, outside: float | str = ...) -> _Volume: ...
@overload
def max(source: Any, /, axis: None = None) -> _Scalar: ...
@overload
def max(source: Any, /, axis: str | tuple[str, ...]) -> _Measured: ...
@overload
def max(
    source: Any, /, size: int | tuple[int, int, int], *options: Any, **named: Any
) -> _Volume: ...
@overload
def mean(source: Any, /, axis: None = None) -> _Scalar: ...
@overload
def mean(source: Any, /, axis: str | tuple[str, ...]) -> _Measured: ...
def median(
    source: Any, /, size: int | tuple[int, int, int] | str, mode: str = ..., cval: float | str = ...
) -> _Volume: ...
@overload
def min(source: Any, /, axis: None = None) -> _Scalar: ...
@overload
def min(source: Any, /, axis: str | tuple[str, ...]) -> _Measured: ...
@overload
def min(
    source: Any, /, size: int | tuple[int, int, int], *options: Any, **named: Any
) -> _Volume: ...
def moments(source: Any, /) -> _Scalar: ...
def multiply(source: Any, /, value: float | str) -> _Volume: ...
def non_max_suppression(
    source: Any,
    /,
    sigma: float | tuple[float, float, float] | str,
    mode: str = ...,
    truncate: float | str = ...,
) -> _Volume: ...
def normalize(source: Any, /, mean: float | str = ..., std: float | str = ...) -> _Volume: ...
def open(
    source: Any,
    /,
    radius: int | tuple[int, int, int] | str,
    footprint: str = ...,
    mode: str = ...,
    cval: float | str = ...,
) -> _Volume: ...
def otsu(source: Any, /) -> _Scalar: ...
def pad(
    source: Any,
    /,
    width: int | tuple[int | tuple[int, int], ...] | str,
    mode: str = ...,
    cval: float | str = ...,
) -> _Volume: ...
@overload
def percentile(source: Any, /, percentile: float) -> _Scalar: ...
@overload
def percentile(
    source: Any, /, percentile: float, size: int | tuple[int, int, int], *options: Any, **named: Any
) -> _Volume: ...
def percentiles(source: Any, /, q: float | tuple[float, ...] | str) -> _Measured: ...
def profile(source: Any, /) -> _Measured: ...
def projection(source: Any, /, method: str) -> _Measured: ...
def quantize(source: Any, /, bits: int | str) -> _Volume: ...
def remove_small(source: Any, /, volume: int | str, connectivity: int | str = ...) -> _Volume: ...
def rescale(source: Any, /, lo: float | str, hi: float | str, dtype: str = ...) -> _Volume: ...
def resize(
    source: Any, /, factor: float | tuple[float, float, float] | str, order: int | str = ...
) -> _Volume: ...
def rotate90(source: Any, /, k: int | str = ...) -> _Volume: ...
def sobel(source: Any, /, axis: str = ..., mode: str = ...) -> _Volume: ...
def sqrt(source: Any, /) -> _Volume: ...
def square(source: Any, /) -> _Volume: ...
def stats(source: Any, /) -> _Measured: ...
@overload
def std(source: Any, /, axis: None = None) -> _Scalar: ...
@overload
def std(source: Any, /, axis: str | tuple[str, ...]) -> _Measured: ...
@overload
def std(
    source: Any, /, size: int | tuple[int, int, int], *options: Any, **named: Any
) -> _Volume: ...
def structure_tensor(
    source: Any,
    /,
    sigma: float | tuple[float, float, float] | str,
    output: str = ...,
    gradient_sigma: float | tuple[float, float, float] | str = ...,
    mode: str = ...,
    truncate: float | str = ...,
) -> _Volume: ...
def subtract(source: Any, /, value: float | str) -> _Volume: ...
@overload
def sum(source: Any, /, axis: None = None) -> _Scalar: ...
@overload
def sum(source: Any, /, axis: str | tuple[str, ...]) -> _Measured: ...
def threshold(source: Any, /, value: float | str) -> _Volume: ...
def tophat(
    source: Any,
    /,
    radius: int | tuple[int, int, int] | str,
    footprint: str = ...,
    mode: str = ...,
    cval: float | str = ...,
) -> _Volume: ...
def transpose(source: Any, /, order: str) -> _Volume: ...
def transpose_xy(source: Any, /) -> _Volume: ...
def uniform(
    source: Any, /, size: int | tuple[int, int, int] | str, mode: str = ..., cval: float | str = ...
) -> _Volume: ...
def unsharp(
    source: Any,
    /,
    sigma: float | tuple[float, float, float] | str,
    amount: float | str = ...,
    mode: str = ...,
    cval: float | str = ...,
    truncate: float | str = ...,
) -> _Volume: ...
def volume(source: Any, /) -> _Measured: ...
def where(source: Any, /, condition: str, other: str) -> _Volume: ...
