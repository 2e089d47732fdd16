"""Environments of the peers: one for each, so that nobody's pins hold another back.

The ranges of versions stand in the project's extra ``bench`` alone. Made once a folder.
"""

import json
import os
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.benchmarks.stacks import ROOT

__all__ = ["PEERS", "Environment", "prepare"]

PEERS = {
    "dask": ("dask", "dask-image", "scikit-image", "zarr"),
    "stack-to-chunk": ("stack-to-chunk",),
    "ome-zarr": ("ome-zarr",),
    "ngff-zarr": ("ngff-zarr", "numcodecs"),
    "simpleitk": ("simpleitk", "zarr"),
}
"""What is installed together, beside what reads slices."""

READERS = ("imagecodecs", "tifffile")
TOLD = ("dask", "zarr", "numpy")
"""Their versions are told too, where they are there."""


@dataclass(frozen=True)
class Environment:
    """A Python with the packages of one peer, or `failure`: why it couldn't be made."""

    python: Path
    versions: str = ""
    failure: str = ""


def prepare(names: Iterable[str], folder: Path) -> dict[str, Environment]:
    """The environments of these names under `folder`; those that are there as asked stay."""
    return {name: _prepare(name, folder / "environments" / name) for name in names}


def _prepare(name: str, place: Path) -> Environment:
    wanted, made = _requirements(name), place / "made.json"
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not made.exists() or json.loads(made.read_text()) != wanted:
        print(f"making the environment {place}", file=sys.stderr)
        rmtree(place, ignore_errors=True)
        venv.create(place, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", *wanted]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return Environment(python, failure=done.stderr.strip()[-1000:])
        made.write_text(json.dumps(wanted))
    return Environment(python, _versions(python, (*PEERS[name], *TOLD)))


def _requirements(name: str) -> list[str]:
    """What pip is asked for, with the project's ranges."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["bench"]]
    ranges: Mapping[str, str] = {canonicalize_name(Requirement(line).name): line for line in lines}
    return [ranges[package] for package in (*PEERS[name], *READERS)]


def _versions(python: Path, packages: Iterable[str]) -> str:
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = {canonicalize_name(row["name"]): row["version"] for row in json.loads(listed.stdout)}
    return ", ".join(f"{p} {found[p]}" for p in dict.fromkeys(packages) if p in found)
