"""The sinks of a job's outputs: which sink of the engine writes which kind of output.

A new kind of output needs a class derived from `hoaconv.job.output.Output`, a function that makes
its sink, and a row here.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hoaconv.io.leading import Leading
from hoaconv.io.open_output import OpenOutput
from hoaconv.io.output import OutputSink
from hoaconv.job.added_sinks import added_label_sink, added_levels_sink
from hoaconv.job.adding import AddedLabel, AddedLevels
from hoaconv.job.arrays_written import array_sink
from hoaconv.job.block_sinks import n5_sink, precomputed_sink
from hoaconv.job.hdf5 import Hdf5
from hoaconv.job.hdf5_files import hdf5_sink
from hoaconv.job.images import image_sink, with_levels_of_image
from hoaconv.job.making import Making
from hoaconv.job.n5 import N5
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.output import Output
from hoaconv.job.precomputed import Precomputed
from hoaconv.job.stack import Stack
from hoaconv.job.stacks import stack_sink
from hoaconv.job.target import Branch
from hoaconv.job.zarr_output import Zarr
from hoaconv.pyramid.sink import OmeZarr as OmeZarrSink

__all__ = ["sinks_of"]

_MAKERS: Mapping[type[Output], Callable[[Any, Making], OutputSink]] = {
    OmeZarr: image_sink,
    Zarr: array_sink,
    Stack: stack_sink,
    Hdf5: hdf5_sink,
    N5: n5_sink,
    Precomputed: precomputed_sink,
    AddedLevels: added_levels_sink,
    AddedLabel: added_label_sink,
}
"""By the kind of output, the function that makes its sink."""


def sinks_of(
    branches: Sequence[Branch],
    given: Mapping[str, Any],
    scratch: Path | None,
    leading: Leading,
) -> dict[int, OutputSink]:
    """Return the sinks of all outputs that lie on disk, by the number of their branch.

    Parameters
    ----------
    given
        Options that the user has given to a verb.
    scratch
        The folder in which the user wants data to wait; None for the output itself.
    leading
        Times and channels of the source, of which each is a sweep.

    Raises
    ------
    SpellingError, PlanError
        If a label has no image, or is too small for its levels.
    """
    stores: dict[str, OpenOutput] = {}
    made = {
        i: _MAKERS[type(branch.target)](
            branch.target, Making(branch, branches, given, scratch, leading, stores)
        )
        for i, branch in enumerate(branches)
        if isinstance(branch.target, Output)
    }
    images = {i: sink for i, sink in made.items() if isinstance(sink, OmeZarrSink)}
    labels = {
        i: with_levels_of_image(sink, branches[i].volume.spec, images, branches)
        for i, sink in images.items()
        if sink.is_label and not sink.added
    }
    return made | labels
