"""Chains of ops, written at random from the catalogue's own declarations."""

from pathlib import Path

import numpy as np

from hoaconv.ops.catalogue import Parameter, catalogue, describe

from .stores import DTYPES

__all__ = ["chain"]

NUMBERS = ("0", "1", "2", "0.5", "1.5", "3", "7.25", "100", "1000", "-1", "-300", "1e9", "1e-3")
SMALL = ("0", "1", "1", "2", "3", "0.7", "1.5")
TRUNCATIONS = ("0", "0.5", "1", "3", "4", "20", "-1", "inf")

_WORDS = {
    "finite number": NUMBERS,
    "number": (*NUMBERS, "inf", "-inf"),
    "number in 0..100": ("0", "20", "50", "99.5", "100"),
    "number or mean": ("mean", *NUMBERS),
    "number or std": ("std", *NUMBERS),
    "number or pNN": ("p0", "p1", "p50", "p99.5", "p100", *NUMBERS),
    "number, otsu, li, moments or pNN": ("otsu", "li", "moments", "p0", "p90", *NUMBERS),
    "auto, number or z,y,x": ("auto", "2", "4", "3,2,2"),
    "whole number": ("0", "1", "2", "17", "256"),
    "voxels": ("1", "2", "9", "50", "100000"),
    "quarter turns": ("0", "1", "2", "3", "-1", "5"),
    "percentages": ("50", "0,100", "1,50,99.9"),
    "axes": ("z", "y", "x", "yx", "zy", "zyx"),
    "width or z,y,x": ("0", "1", "2", "0,1,2", "1-2,0,3"),
    "z,y,x ranges": (":,:,:", "1:,:,:", ":,2:7,:-1", "::2,:,:", "0:1,0:1,0:1", "3:,:,-4:"),
    "dtype": DTYPES,
    "dtype or same": ("same", *DTYPES),
}


def chain(rng: np.random.Generator, source: Path, folder: Path) -> list[str]:
    """Return one to three ops; files that they want are written into `folder`."""
    words = list(catalogue())
    return [
        _op(rng, words[rng.integers(len(words))], source, folder) for _ in range(rng.integers(1, 4))
    ]


def _op(rng: np.random.Generator, word: str, source: Path, folder: Path) -> str:
    words = [word]
    for parameter in describe(word):
        if not parameter.default:
            words.append(_value(rng, parameter, source, folder))
        elif rng.random() < 0.3:
            words.append(f"{parameter.name}={_value(rng, parameter, source, folder)}")
    return " ".join(words)


def _value(rng: np.random.Generator, parameter: Parameter, source: Path, folder: Path) -> str:
    kind = parameter.kind
    if parameter.name == "truncate":
        return str(rng.choice(TRUNCATIONS))
    if kind == "path" or (kind == "number or path" and rng.random() < 0.3):
        return f"'{source}'"
    if kind == "file":
        return f"'{_file(rng, parameter.name, folder)}'"
    if kind.endswith("number or z,y,x") and kind not in _WORDS:
        own = SMALL if kind.startswith("number") else ("0", "1", "2", "3", "3", "5")
        return ",".join(str(rng.choice(own)) for _ in range(rng.choice([1, 1, 3])))
    words = _WORDS.get(kind) or (NUMBERS if kind == "number or path" else kind.split("|"))
    return str(rng.choice(words))


def _file(rng: np.random.Generator, name: str, folder: Path) -> Path:
    """Write a table, or the weights of a convolution."""
    file = folder / f"{name}{rng.integers(1 << 30)}.npy"
    if name == "weights":
        np.save(file, rng.normal(0, 1, rng.choice([1, 3, 5], 3)).round(3))
    else:
        np.save(file, rng.integers(0, 300, rng.integers(1, 70000)))
    return file
