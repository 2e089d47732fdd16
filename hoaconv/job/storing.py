"""Several outputs of one sweep, by their names."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hoaconv.engine.contract import Sink
from hoaconv.errors import SpellingError
from hoaconv.job.declared import PathLike, options_of
from hoaconv.job.job import Job
from hoaconv.job.measured import Measured, presented
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.options import Running
from hoaconv.job.output import Output
from hoaconv.job.scalar import Scalar
from hoaconv.job.target import Branch, name_of
from hoaconv.job.volume import Volume
from hoaconv.ops.terms import evaluate
from hoaconv.units import did_you_mean

__all__ = ["store"]


def store(
    outputs: "Mapping[Any, Any]",
    *,
    budget: int | str | None = None,
    workers: int | None = None,
    scratch: PathLike | None = None,
    **image: Any,
) -> Job:
    """Return the job that makes several outputs in one sweep.

    Parameters
    ----------
    outputs
        Volumes and measurements by their names. The name of a volume is the path of the image to
        write, such as ``"brain.zarr"``, or an `OmeZarr` or another output. A path such as
        ``"brain.zarr/labels/tissue"`` makes a label image of an image that is written too. A
        measurement, such as ``volume.max("z")``, has any name. A sink of the engine may stand in
        place of a name.
    budget
        Memory that the process may hold, in bytes or as text such as ``"8GiB"``. By default 60 % of
        the free memory.
    workers
        Number of threads; by default one for each CPU of this process.
    scratch
        A folder for what doesn't fit in memory; by default inside the first image.
    **image
        Options of all images that are given by a path: see `OmeZarr`.

    Returns
    -------
    Job
        After ``result = job.run()``, ``result["name"]`` is the measurement of that name.

    Raises
    ------
    SpellingError
        If an output is neither a volume nor a measurement, or an option doesn't take its value.

    Examples
    --------
    >>> volume = hc.open("slices/")
    >>> job = hc.store({"small.zarr": volume.bin(2), "mip": volume.max("z")}, chunks=8)
    >>> job.run()["mip"].shape
    (16, 16)
    """
    if not isinstance(outputs, Mapping):
        raise SpellingError(
            f"outputs are given by their names, not as a {type(outputs).__name__}, as in "
            '{"brain.zarr": volume}'
        )
    written = _on_disk(outputs, image)
    branches = tuple(_branch(key, value, written) for key, value in outputs.items())
    if not branches:
        raise SpellingError("nothing is to be stored; give outputs by their names")
    return Job(branches, running=Running(budget=budget, workers=workers, scratch=scratch))


def _on_disk(outputs: Mapping[Any, Any], options: Mapping[str, Any]) -> dict[Any, Output]:
    """Return the outputs on disk, by the keys of volumes; labels take the options of their images.

    Raises
    ------
    SpellingError
        For an option that there isn't, or a key that is no path.
    """
    unknown = set(options) - set(options_of(OmeZarr))
    if unknown:
        word = min(unknown)
        hint = did_you_mean(word, [*options_of(OmeZarr), "budget", "workers", "scratch"])
        raise SpellingError(f"{word} is no option of store{hint}")
    volumes = [key for key, value in outputs.items() if isinstance(value, Volume)]
    keys = [key for key in volumes if not isinstance(key, Sink)]
    for key in keys:
        if not isinstance(key, str | os.PathLike | Output):
            raise SpellingError(f"{key!r} names a volume; expected the path of an image")
    known = {os.path.realpath(name_of(key)): key for key in keys}
    if len(known) < len(keys):
        raise SpellingError(f"two of {', '.join(map(name_of, keys))} are one folder")
    labels = {
        key: known[folder]
        for path, key in known.items()
        if Path(path).parent.name == "labels" and (folder := str(Path(path).parents[1])) in known
    }
    whole: dict[Any, Output] = {
        key: key if isinstance(key, Output) else OmeZarr(key, **options)
        for key in keys
        if key not in labels
    }
    return whole | {key: _label(key, whole[of]) for key, of in labels.items()}


def _label(key: Any, image: Output) -> Output:
    """Return the label image that a key stands for, in the store of its image."""
    if isinstance(key, Output):
        return key
    if not isinstance(image, OmeZarr):
        raise SpellingError(f"{key} would lie in {image.path}, which isn't an OME-Zarr image")
    return image.label(Path(key).name)


def _branch(key: Any, value: Any, written: Mapping[Any, Output]) -> Branch:
    if isinstance(value, Measured):
        return Branch(name_of(key), value.volume, value.fold, partial(presented, value.fold))
    if isinstance(value, Scalar):
        volume, asked = value.measured
        return Branch(name_of(key), volume, asked, partial(_number, value))
    if not isinstance(value, Volume):
        raise SpellingError(
            f"{key!r} is a {type(value).__name__}; expected a volume, or something measured of one "
            'such as volume.max("z")'
        )
    return Branch(name_of(key), value, key if isinstance(key, Sink) else written[key])


def _number(scalar: Scalar, value: Mapping[str, Any], *_: Any) -> float | int:
    """Return the number of a scalar, given the value of the one fold that finds it."""
    return evaluate(scalar.term, [value] * len(scalar.asked))
