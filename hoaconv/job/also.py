"""Other images of a sweep, as the user names them: path, options of their own, and ops."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.job.declared import Option, options_of
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.units import did_you_mean

__all__ = ["also_of"]

Also = tuple[str, Mapping[str, Any], Any]
"""The path of an image, its options, and its ops."""

_WORD = re.compile(r"(?P<path>.*?)(?:\[(?P<options>\s*\w+=[^\]]*)\]\s*)?=(?P<ops>.*)", re.DOTALL)
"""Form of a word on the command line: PATH=OPS or PATH[NAME=VALUE ...]=OPS."""


def also_of(given: Mapping[str, Any] | Sequence[str] | str) -> list[Also]:
    """Return the images that are also written.

    Parameters
    ----------
    given
        Ops, or options with ``ops``, by the path of the image; or words as on the command line.

    Raises
    ------
    SpellingError
        If a word isn't understood, an image is named twice, or there is no such option.
    """
    words = [given] if isinstance(given, str) else given or ()
    if isinstance(words, Mapping):
        found = [_of_pair(str(path).strip(), value) for path, value in words.items()]
    else:
        found = [_of_word(word) for word in words]
    paths = [path for path, _, _ in found]
    if len({path.casefold() for path in paths}) < len(paths):  # one folder on some file systems
        raise SpellingError(f"`also` names one output twice: {', '.join(paths)}")
    return found


def _of_pair(path: str, value: Any) -> Also:
    if not path:
        raise SpellingError(_FORM)
    if not isinstance(value, Mapping):
        return path, {}, value
    options = {name: value[name] for name in value if name != "ops"}
    _check(path, options)
    return path, options, value.get("ops", "")


def _of_word(word: str) -> Also:
    match = _WORD.fullmatch(word)
    if match is None or not match["path"].strip():
        raise SpellingError(_FORM)
    pairs = [pair.partition("=") for pair in (match["options"] or "").split()]
    if not all(name and equals for name, equals, _ in pairs):
        raise SpellingError(_FORM)
    options = {name.replace("-", "_"): text for name, _, text in pairs}
    known = _check(match["path"], options)
    return match["path"].strip(), {n: _read(known[n], t) for n, t in options.items()}, match["ops"]


_FORM = (
    '`also` is written PATH="OPS", as in small.zarr="bin 2", or with options of that image, as in '
    "'small.zarr[chunks=32 ngff=0.4]=bin 2'"
)


def _check(path: str, options: Mapping[str, Any]) -> Mapping[str, Option]:
    """Raise SpellingError for an option that an image hasn't of its own; return those it has."""
    known = {name: option for name, option in options_of(OmeZarr).items() if name != "overwrite"}
    for name in options:
        if name not in known:
            hint = did_you_mean(name, known)
            raise SpellingError(
                f"{path}: {name} is no option of an image that is also written{hint}; it has "
                f"{', '.join(known)}"
            )
    return known


def _read(option: Option, text: str) -> Any:
    """Return the value that a text stands for; numbers are the only ones that aren't texts."""
    return int(text) if option.value == "N" and re.fullmatch(r"[+-]?\d+", text) else text
