"""The catalogue: every op and fold by its word."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.ops.declare import EXAMPLES, OPS
from hoaconv.ops.docstring import description
from hoaconv.ops.families import families
from hoaconv.ops.parameters import Declared, kind_of, parameters

__all__ = [
    "Parameter",
    "catalogue",
    "describe",
    "example",
    "explanation",
    "lookup",
    "summary",
    "usage",
]


@dataclass(frozen=True)
class Parameter:
    """A row of an op's help; `default` is empty where a value must be given."""

    name: str
    kind: str
    default: str
    help: str


def catalogue() -> Mapping[str, type[Declared]]:
    """Return every op by its word, in the order of words."""
    families()
    return MappingProxyType(dict(sorted(OPS.items())))


ELSEWHERE = {
    "blur": "gaussian",
    "smooth": "gaussian",
    "gauss": "gaussian",
    "gaussian_filter": "gaussian",
    "gaussian-blur": "gaussian",
    "mean": "uniform",
    "box": "uniform",
    "uniform_filter": "uniform",
    "median_filter": "median",
    "rank": "percentile",
    "percentile_filter": "percentile",
    "minimum": "min",
    "maximum": "max",
    "otsu": "threshold otsu",
    "li": "threshold li",
    "moments": "threshold moments",
    "binarize": "threshold otsu",
    "segment": "threshold otsu",
    "downsample": "bin",
    "downscale": "bin",
    "rebin": "bin",
    "zoom": "resize",
    "scale": "resize",
    "upsample": "resize",
    "dilation": "dilate",
    "erosion": "erode",
    "opening": "open",
    "closing": "close",
    "white_tophat": "tophat",
    "white-tophat": "tophat",
    "top-hat": "tophat",
    "black_tophat": "blackhat",
    "bottom-hat": "blackhat",
    "remove_small_objects": "remove-small",
    "remove_small_holes": "fill-holes",
    "binary_fill_holes": "fill-holes",
    "astype": "cast",
    "dtype": "cast",
    "convert": "cast",
    "window": "rescale",
    "contrast": "rescale",
    "rescale_intensity": "rescale",
    "zscore": "normalize",
    "standardize": "normalize",
    "clahe": "equalize",
    "mip": "projection max",
    "swapaxes": "transpose",
    "moveaxis": "transpose",
    "reorder": "transpose",
    "rotate": "rotate90",
    "correlate": "convolve",
    "gradient_magnitude": "gradient-magnitude",
    "unsharp_mask": "unsharp",
    "difference_of_gaussians": "dog",
    "average": "uniform",
    "boxcar": "uniform",
    "variance": "std 3 | square",
    "var": "std 3 | square",
    "pow": "gamma",
    "power": "gamma",
    "edges": "gradient-magnitude",
    "edge": "gradient-magnitude",
    "find_edges": "gradient-magnitude",
    "find-edges": "gradient-magnitude",
    "canny": "non-max-suppression",
    "threshold_otsu": "threshold otsu",
    "threshold-otsu": "threshold otsu",
    "threshold_li": "threshold li",
    "threshold-li": "threshold li",
    "normalise": "normalize",
    "denoise": "median",
    "despeckle": "median",
    "sharpen": "unsharp",
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide",
}
"""Spellings of ops by their names in other programs, or by what people look for."""


def _hint(word: str) -> str:
    """Return what was probably meant, or nothing."""
    plain = word.lower()
    if plain in ("label", "labels"):
        return '; labels are written by an option: `label={"NAME": "threshold otsu"}`'
    if plain in ELSEWHERE:
        return f"; write it as {ELSEWHERE[plain]!r}"
    name, called, values = plain.partition("(")
    if called and name in OPS:
        return f"; write it without brackets: '{name} {values.rstrip(')').replace(',', ' ')}'"
    near = get_close_matches(plain, [*OPS, *ELSEWHERE], n=1)
    return f"; did you mean {ELSEWHERE.get(near[0], near[0])!r}?" if near else ""


def lookup(word: str) -> type[Declared]:
    """Return the op of a word.

    Raises
    ------
    SpellingError
        If there is none; the message tells what was probably meant.
    """
    if word not in OPS:
        families()
    if word not in OPS:
        raise SpellingError(f"there is no op {word!r}{_hint(word)}; `hoaconv.ops` lists them")
    return OPS[word]


def describe(word: str) -> tuple[Parameter, ...]:
    """Return the parameters of an op, in their order."""
    return tuple(
        Parameter(f.name, kind_of(f).name, _default(f), f.metadata["help"])
        for f in parameters(lookup(word))
    )


def example(word: str) -> str:
    """Return a spelling of the op."""
    return EXAMPLES[lookup(word).word]


def summary(word: str) -> str:
    """Return what the op does, in one line."""
    return (lookup(word).__doc__ or "").partition("\n")[0]


def explanation(word: str) -> str:
    """Return the description below its first line, each paragraph as one line."""
    paragraphs = description(lookup(word).__doc__).split("\n\n")[1:]
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def usage(word: str) -> str:
    """Return the form in which the op is written.

    Examples
    --------
    >>> usage("rescale")
    'rescale LO HI [dtype=uint8]'
    """
    words = [f"[{p.name}={p.default}]" if p.default else p.name.upper() for p in describe(word)]
    return " ".join([word, *words])


def _default(parameter: "Field[Any]") -> str:
    return "" if parameter.default is MISSING else kind_of(parameter).spell(parameter.default)
