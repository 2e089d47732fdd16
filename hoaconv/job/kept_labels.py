"""Label images of a source that go with it, where planes stay in their places."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from hoaconv.engine.contract import Resample, Step
from hoaconv.engine.plan import Plan
from hoaconv.errors import SourceError
from hoaconv.io.array_volume import ArrayVolume
from hoaconv.io.zarr_store import is_node
from hoaconv.job.chain import open_source, sources_of
from hoaconv.job.ome_zarr import is_label_name
from hoaconv.job.options import Reading
from hoaconv.job.planned import Planned

__all__ = ["labels_kept"]


def labels_kept(
    volume: Planned, ops: Sequence[Step], reading: Reading, taken: Collection[str]
) -> Iterator[tuple[str, Planned]]:
    """Yield name and volume of each label image of the source that stays what it is.

    It has the shape of the volume, lies in the same place, and holds whole numbers. What isn't so
    is left out; a note tells of it.

    Parameters
    ----------
    volume
        The source.
    ops
        Ops of the output; none of them may move planes or voxels.
    taken
        Names that other labels of the output have, in lower case.
    """
    source = sources_of(volume.plan)[0]
    folder = _labels_of(source.path) if isinstance(source, ArrayVolume) else None
    if folder is None or any(isinstance(step, Resample) for step in ops):
        return
    for name in source.labels:  # type: ignore[attr-defined] # it has them if it has the folder
        if name.casefold() in taken or not is_label_name(name):
            continue
        try:
            label = open_source(folder / name, Reading(range=reading.range))
        except SourceError:
            continue  # such as a label image with several channels
        if label.spec.shape == volume.spec.shape and label.spec.dtype.kind != "f":
            placed = label.at(volume.spec.geometry)
            yield name, Planned(Plan.read(placed), placed.spec)


def _labels_of(array: Path) -> Path | None:
    """Return the folder of the labels of the image around an array."""
    return next((p / "labels" for p in array.parents if is_node(p / "labels")), None)
