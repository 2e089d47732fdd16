"""Channels of slices with several values a voxel: one of them is taken, or the luminance of RGB."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError, SpellingError

__all__ = ["Pick", "check_lone", "check_pick", "luminance", "spread", "with_colours"]

WEIGHTS = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the luminance, as of ITU-R BT.601; Pillow takes the same."""

_ROWS = 64  # rows that are made grey at once, as float64


@dataclass(frozen=True)
class Pick:
    """The part of files with several images, channels or times that is taken.

    Attributes
    ----------
    series
        Index of the image in the file; None for the first one.
    channel, time
        Index of the channel and of the time; None where there is one.
    rgb
        ``"luminance"`` makes RGB slices grey; None takes a channel.
    """

    series: int | None = None
    channel: int | None = None
    time: int | None = None
    rgb: str | None = None


def check_pick(label: str, channels: int, pick: Pick) -> int | None:
    """Return the channel that is taken of a slice's channels; None for the luminance.

    Raises
    ------
    SpellingError
        If the slice has no such channel, or has one and its luminance is asked for, or both a
        channel and the luminance are.
    SourceError
        If none is chosen of several.
    """
    if pick.rgb and channels not in (3, 4):
        what = "is grey" if channels == 1 else f"has {channels} channels"
        raise SpellingError(f"{label} {what}, so it has no luminance; drop `rgb`")
    if pick.rgb and pick.channel is not None:
        raise SpellingError("`channel` takes one channel, and `rgb` mixes them; drop one")
    if pick.rgb:
        return None
    if pick.channel is None and channels > 1:
        grey = ', or their luminance, as in `rgb="luminance"`' if channels in (3, 4) else ""
        raise SourceError(
            f"{label} has {channels} channels{_names(channels)}; take one, as in `channel=0`{grey}"
        )
    channel = pick.channel or 0
    if channel >= channels:
        raise SpellingError(f"{label} has no channel {channel}: it has {channels}, counted from 0")
    return channel


def check_lone(pick: Pick) -> None:
    """Raise SpellingError if an image or a time is to be taken of files with one each."""
    for name in ("series", "time"):
        if getattr(pick, name):  # the only one has the index 0
            raise SpellingError(
                f"`{name}` is for files with several; the source is a stack of single slices"
            )


def _names(channels: int) -> str:
    names = {2: "grey, alpha", 3: "red, green, blue", 4: "red, green, blue, alpha"}
    return f" (as a rule {names[channels]})" if channels in names else ""


def spread(whole: np.ndarray[Any, Any], channel: int | None, out: Plane) -> None:
    """Copy one channel of a slice (y, x, channel) into `out` (y, x); None means the luminance."""
    if channel is None:
        luminance(whole, out)
    else:
        out[...] = whole[..., channel]


def luminance(whole: np.ndarray[Any, Any], out: Plane) -> None:
    """Write the luminance of red, green and blue (y, x, channel) into `out`, rounded half to even.

    A fourth channel, alpha, has no effect.
    """
    for y in range(0, len(out), _ROWS):
        grey = whole[y : y + _ROWS, :, :3] @ np.array(WEIGHTS)
        out[y : y + _ROWS] = np.rint(grey) if out.dtype.kind in "iu" else grey


def with_colours(
    indices: np.ndarray[Any, Any], palette: Sequence[Sequence[int]]
) -> np.ndarray[Any, Any]:
    """Return the colours (y, x, 3) of a plane of indices, as uint8.

    Parameters
    ----------
    palette
        Red, green and blue (3, n), of 16 bits as TIFF has them. As in libtiff, colours of which
        none is above 255 are taken as of 8 bits.
    """
    table = np.asarray(palette)
    narrow = table if table.max(initial=0) <= 255 else table >> 8
    colours: np.ndarray[Any, Any] = narrow.astype(np.uint8).T[indices]
    return colours
