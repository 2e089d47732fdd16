"""Several outputs of one sweep, by their names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hoaconv.engine.contract import Fold
from hoaconv.errors import SpellingError
from hoaconv.job.declared import PathLike
from hoaconv.job.job import Job
from hoaconv.job.options import OmeZarr, Running
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
    branches = tuple(_branch(key, value, outputs, image) for key, value in outputs.items())
    if not branches:
        raise SpellingError("nothing is to be stored; give outputs by their names")
    return Job(branches, running=Running(budget=budget, workers=workers, scratch=scratch))


def _branch(key: Any, value: Any, outputs: Mapping[Any, Any], image: Mapping[str, Any]) -> Branch:
    fold: Fold | None = getattr(value, "fold", None)
    if isinstance(fold, Fold):
        return Branch(str(key), value.volume, fold, value.result)
    if not isinstance(value, Volume):
        raise SpellingError(
            f"{key!r} is a {type(value).__name__}; expected a volume, or something measured of one "
            'such as volume.max("z")'
        )
    if isinstance(key, OmeZarr):
        return Branch(str(key.path), value, key)
    path = Path(key)
    within = path.parent.parent
    if path.parent.name == "labels" and str(within) in {
        str(Path(_path(other))) for other in outputs
    }:
        return Branch(str(key), value, OmeZarr(within, **image).label(path.name))
    return Branch(str(key), value, OmeZarr(path, **image))


def _path(key: Any) -> PathLike:
    return key.path if isinstance(key, OmeZarr) else key
