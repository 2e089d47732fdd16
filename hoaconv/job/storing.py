"""Several outputs of one sweep, by their names."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hoaconv.engine.contract import Fold
from hoaconv.errors import SpellingError
from hoaconv.job.declared import PathLike, options_of
from hoaconv.job.job import Job
from hoaconv.job.options import OmeZarr, Running
from hoaconv.job.scalar import Scalar
from hoaconv.job.target import Branch
from hoaconv.job.volume import Volume

__all__ = ["store"]


def store(
    outputs: Mapping[Any, Any],
    *,
    budget: str | int | None = None,
    workers: int | None = None,
    scratch: PathLike | None = None,
    **image: Any,
) -> Job:
    """Return the job that makes several outputs in one sweep.

    Parameters
    ----------
    outputs
        Volumes by the paths of images to write, such as ``"brain.zarr"``, or by `OmeZarr` values;
        a path ``"brain.zarr/labels/tissue"`` is a label image of an image that is written too.
        What is measured, such as ``volume.max("z")``, stands behind a name of its own.
    budget, workers, scratch
        As of `Job.plan`.
    **image
        Options of all images that are given by a path: see `OmeZarr`.

    Returns
    -------
    Job
        ``job.run()["name"]`` is what was measured.

    Raises
    ------
    SpellingError
        For an output that is neither a volume nor measured, or an option that isn't understood.
    """
    images = _images(outputs, image)
    branches = tuple(_branch(key, value, images) for key, value in outputs.items())
    if not branches:
        raise SpellingError("nothing is to be stored; give outputs by their names")
    return Job(branches, running=Running(budget=budget, workers=workers, scratch=scratch))


def _images(outputs: Mapping[Any, Any], options: Mapping[str, Any]) -> dict[Any, OmeZarr]:
    """Return the images to write, by the keys of volumes; labels take the options of theirs.

    Raises
    ------
    SpellingError
        For an option that there isn't, or a key that is no path.
    """
    unknown = set(options) - set(options_of(OmeZarr))
    if unknown:
        raise SpellingError(f"{', '.join(sorted(unknown))} is no option of OmeZarr")
    keys = [key for key, value in outputs.items() if isinstance(value, Volume)]
    for key in keys:
        if not isinstance(key, str | os.PathLike | OmeZarr):
            raise SpellingError(f"{key!r} names a volume; expected the path of an image")
    known = {os.path.realpath(key.path if isinstance(key, OmeZarr) else key): key for key in keys}
    labels = {
        key: known[folder]
        for path, key in known.items()
        if Path(path).parent.name == "labels" and (folder := str(Path(path).parents[1])) in known
    }
    whole = {
        key: key if isinstance(key, OmeZarr) else OmeZarr(key, **options)
        for key in keys
        if key not in labels
    }
    return whole | {key: whole[of].label(Path(key).name) for key, of in labels.items()}


def _branch(key: Any, value: Any, images: Mapping[Any, OmeZarr]) -> Branch:
    fold: Fold | None = getattr(value, "fold", None)
    if isinstance(fold, Fold):
        return Branch(str(key), value.volume, fold, value.result)
    if isinstance(value, Scalar):
        volume, asked = value.measured
        return Branch(str(key), volume, asked, value.result)
    if not isinstance(value, Volume):
        raise SpellingError(
            f"{key!r} is a {type(value).__name__}; expected a volume, or something measured of one "
            'such as volume.max("z")'
        )
    return Branch(str(key.path if isinstance(key, OmeZarr) else key), value, images[key])
