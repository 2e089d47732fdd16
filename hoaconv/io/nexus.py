"""Search for the volume in an HDF5 file: by NeXus's defaults, or as the only one there is.

NeXus (https://manual.nexusformat.org) marks what is to be shown: ``@default`` leads from the file
to an entry and to a group of class NXdata, and ``@signal`` to the dataset in it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoaconv.errors import SourceError

__all__ = ["attribute", "find_dataset", "is_numbers"]

_DEEP = 16
"""Steps of ``@default`` that are followed, at most."""

_MOST = 10_000
"""Groups and datasets that are looked at, at most."""

_LISTED = 8

_RECONSTRUCTION = "/reconstruction/results/data"
"""End of the path at which nabu and tomoscan write a volume."""


@dataclass(frozen=True)
class _Found:
    """A dataset with its path, and whether it is the signal of an NXdata."""

    path: str
    dataset: Any
    is_signal: bool


def attribute(node: Any, name: str) -> Any:
    """Return an attribute of a group or dataset, texts as str; None if it is missing or odd."""
    try:
        value = node.attrs.get(name)
    except (OSError, RuntimeError, TypeError):  # kinds that h5py can't convert
        return None
    return os.fsdecode(value) if isinstance(value, bytes) else value


def is_numbers(node: Any) -> bool:
    """Return whether a node is a dataset of numbers with two axes or more."""
    dtype = getattr(node, "dtype", None)
    shape = getattr(node, "shape", None) or ()  # a named type has none
    return dtype is not None and dtype.kind in "uifb" and len(shape) >= 2


def find_dataset(path: Path, file: Any, inside: str) -> tuple[Any, str]:
    """Return the dataset at a path in a file, or that a group or file is about, and its path.

    Raises
    ------
    SourceError
        If there is none, or several and nothing says which; the message lists them.
    """
    node = file
    if inside.strip("/"):
        try:
            node = file[inside]
        except (KeyError, RuntimeError, ValueError) as error:
            raise SourceError(
                f"{path} has no {inside}{_reason(error)}{_listed(list(_all(file)))}"
            ) from error
    if hasattr(node, "dtype"):
        if not is_numbers(node):
            shape = getattr(node, "shape", None)
            raise SourceError(
                f"{path}::{inside} is no volume: it has the shape {shape} of {node.dtype}"
                f"{_listed(list(_all(file)))}"
            )
        return node, f"/{inside.strip('/')}"
    signal = _default(node, f"/{inside.strip('/')}")
    if signal is not None and len(signal.dataset.shape) > 2:
        return signal.dataset, signal.path
    found = _only(path, list(_all(node, f"/{inside.strip('/')}")), signal)
    return found.dataset, found.path


def _reason(error: Exception) -> str:
    """Return words on a link that leads nowhere; h5py's message for a missing name tells less."""
    leads_nowhere = "can't open file" in str(error)
    return " (a link leads to a file that is missing)" if leads_nowhere else ""


def _default(group: Any, path: str) -> _Found | None:
    """Return the dataset to which ``@default`` and ``@signal`` lead; None if they don't."""
    for _ in range(_DEEP):
        key = _signal(group)
        if key is not None:
            return _Found(_joined(path, key), group[key], True)
        name = attribute(group, "default")
        if not isinstance(name, str) or name not in group or hasattr(group[name], "dtype"):
            return None
        group, path = group[name], _joined(path, name)
    return None


def _joined(path: str, name: str) -> str:
    return f"{path.rstrip('/')}/{name.strip('/')}"


def _signal(group: Any) -> str | None:
    """Return the name of the signal of an NXdata: by its attribute, or in old files the dataset's.

    Return None if the group has none.
    """
    name = attribute(group, "signal")
    if isinstance(name, str) and name in group:
        return name if is_numbers(_child(group, name)) else None
    if attribute(group, "NX_class") != "NXdata":
        return None
    children = ((key, _child(group, key)) for key in group)
    numbers = ((key, child) for key, child in children if is_numbers(child))
    return next((key for key, child in numbers if attribute(child, "signal") is not None), None)


def _child(group: Any, name: str) -> Any:
    """Return what lies under a name; None for a link that leads nowhere."""
    try:
        return group[name]
    except (KeyError, OSError, RuntimeError, ValueError):  # RuntimeError of links in a circle
        return None


def _all(top: Any, path: str = "/") -> Iterator[_Found]:
    """Yield all datasets of numbers below a group, also behind links, each once."""
    met, todo = set[tuple[Any, ...]](), [(top, path)]
    while todo and len(met) < _MOST:
        group, path = todo.pop(0)
        signal = _signal(group)
        for name in group:
            node = _child(group, name)
            if node is None or _place(node) in met:
                continue
            met.add(_place(node))
            if not hasattr(node, "dtype"):
                todo.append((node, _joined(path, name)))
            elif is_numbers(node):
                yield _Found(_joined(path, name), node, name == signal)


def _place(node: Any) -> tuple[Any, ...]:
    """Return what tells a node from all others: its file and its place in it."""
    return node.file.filename, hash(node.id)


def _only(path: Path, found: list[_Found], signal: _Found | None) -> _Found:
    """Return the dataset that the file is about."""
    volumes = [one for one in found if len(one.dataset.shape) > 2]
    nabu = [one for one in volumes if one.path.endswith(_RECONSTRUCTION)]
    signals = [one for one in volumes if one.is_signal]
    flat = [one for one in found if one not in volumes] if signal is None else []
    for candidates in (nabu, signals, volumes):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise SourceError(
                f"{path} holds {len(candidates)} volumes: name one, as in "
                f"{path.name}::{_largest_first(candidates)[0].path}{_listed(candidates)}"
            )
    if signal is not None:
        return signal
    if len(flat) == 1:
        return flat[0]
    raise SourceError(f"{path} holds no volume{_listed(found)}")


def _largest_first(found: list[_Found]) -> list[_Found]:
    return sorted(found, key=lambda one: -one.dataset.size)


def _listed(found: list[_Found]) -> str:
    shown = [
        f"{one.path} ({' x '.join(map(str, one.dataset.shape))} {one.dataset.dtype})"
        for one in _largest_first(found)[:_LISTED]
    ]
    more = ", ..." if len(found) > _LISTED else ""
    return f"; it holds {', '.join(shown)}{more}" if shown else "; it holds no dataset of numbers"
