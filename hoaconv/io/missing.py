"""Notes on chunks that a store lacks: held against the empty ones that hoaconv has recorded."""

from collections.abc import Iterator

from hoaconv.io.stored_array import StoredArray

__all__ = ["missing_notes"]

SECONDS = 0.1
"""Time for which chunks are looked for when a store is opened."""


def missing_notes(array: StoredArray, box: tuple[slice, ...]) -> Iterator[str]:
    """Yield a note if chunks of a box are missing that weren't empty when they were written.

    Chunks of zeros alone aren't stored, and hoaconv records how many these are. Of stores that
    other programs have written nobody knows what was in the chunks that are missing.
    """
    if not array.fills_missing:
        return
    found = array.objects_of(box, SECONDS)
    if found is None or not found.missing:
        return
    recorded = array.facts().get("recorded")
    empty = recorded["empty"] if recorded else None
    if empty is not None and found.missing <= empty:
        return
    files = "shards" if array.facts().get("shards") else "chunks"
    about = "about " if found.is_estimated else ""
    told = (
        f"{about}{found.missing} of {found.total} {files} of {array} are missing, and are read as "
        "the fill value"
    )
    if empty is None:
        yield f'{told}; `missing="error"` makes them an error'
    else:
        yield (
            f"{told}: only {empty} were empty when they were written, so that others are lost; "
            "copy the store again"
        )
