"""What the numbers were measured on."""

import platform
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from hoaconv.engine.machine import cpus
from tests.benchmarks.rounds import Bench
from tests.benchmarks.stacks import Data

__all__ = ["describe"]

OURS = ("hoaconv", "numpy", "numba", "imagecodecs", "tensorstore", "tifffile", "scipy")


def describe(bench: Bench, data: Sequence[Data]) -> dict[str, str]:
    """Name and value of all that a reader needs in order to judge the numbers."""
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": f"{_processor()}, {cpus()} CPUs, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.platform()}",
        "load before": f"{psutil.getloadavg()[0]:.2f}",
        "versions": f"Python {platform.python_version()}, " + ", ".join(map(_version, OURS)),
        "peers": "; ".join(f"{name}: {e.versions}" for name, e in bench.environments.items())
        or "none",
        "runs": f"size {bench.size}, {bench.workers} workers, {bench.rounds} rounds",
        "data": "; ".join(map(_data, data)) or "none",
    }


def _processor() -> str:
    """The CPU's name, which only Linux keeps in a file."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} not installed"


def _data(data: Data) -> str:
    z, y, x = data.shape
    ratio = 2 * z * y * x / data.nbytes
    return f"{data.path.name} uint16, {data.nbytes / 1e6:.0f} MB ({ratio:.2f}:1)"
