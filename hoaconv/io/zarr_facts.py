"""Facts of a zarr array from its metadata, and from those of the OME-Zarr image around it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hoaconv.io.zarr_store import ArrayNode

__all__ = ["facts_of"]


def facts_of(node: ArrayNode, files: Sequence[int], chunks: Sequence[int]) -> dict[str, Any]:
    """Return the facts of an array, by the names of `StoredArray.facts`.

    Parameters
    ----------
    files, chunks
        Shapes of what a file holds, and of a chunk.
    """
    ngff = _ngff(node) if node.image else None
    zarr = f"zarr v{node.zarr_format}"
    return {
        "format": f"OME-Zarr {ngff or 'of unknown version'}, {zarr}" if node.image else zarr,
        "zarr_format": node.zarr_format,
        "ngff": ngff,
        "codecs": list(_codecs(node)),
        "shards": list(files) if tuple(files) != tuple(chunks) else None,
        "fill_value": node.metadata.get("fill_value"),
        "window": _window(node),
        "orientation": _orientation(node),
        "recorded": _recorded(node),
    }


def _ome(node: ArrayNode) -> Mapping[str, Any]:
    """Return the attributes of OME: below ``ome`` from NGFF 0.5 on, else at the root."""
    ome = node.around.get("ome")
    return ome if isinstance(ome, Mapping) else node.around


def _ngff(node: ArrayNode) -> str | None:
    version = _ome(node).get("version") or (node.image.entry if node.image else {}).get("version")
    return version if isinstance(version, str) else None


def _codecs(node: ArrayNode) -> Iterator[str]:
    if node.zarr_format == 3:
        yield from _codecs_of_v3(node.metadata.get("codecs"))
        return
    filters = node.metadata.get("filters")
    for codec in (*(filters if isinstance(filters, list) else ()), node.metadata.get("compressor")):
        if isinstance(codec, Mapping):
            yield _spelled(str(codec.get("id")), codec)


def _codecs_of_v3(codecs: Any) -> Iterator[str]:
    """Yield codecs as words; of shards, the codecs of their chunks."""
    for codec in codecs if isinstance(codecs, list) else ():
        if not isinstance(codec, Mapping):
            continue
        name = str(codec.get("name"))
        settings = codec.get("configuration")
        settings = settings if isinstance(settings, Mapping) else {}
        if name == "sharding_indexed":
            yield from _codecs_of_v3(settings.get("codecs"))
        elif name != "bytes":
            yield _spelled(name, settings)


def _spelled(name: str, settings: Mapping[str, Any]) -> str:
    """Return the name of a codec with what it is set to, as in ``blosc-zstd:5:shuffle``."""
    inner = settings.get("cname")
    level = settings.get("clevel", settings.get("level"))
    shuffle = settings.get("shuffle")
    shuffle = {0: None, 1: "shuffle", 2: "bitshuffle", "noshuffle": None}.get(shuffle, shuffle)
    words = [f"{name}-{inner}" if inner else name, level, shuffle if name == "blosc" else None]
    return ":".join(str(word) for word in words if word is not None)


def _window(node: ArrayNode) -> dict[str, Any] | None:
    """Return the window of values that viewers show, of the first channel."""
    omero = _ome(node).get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    first = channels[0] if isinstance(channels, list) and channels else None
    window = first.get("window") if isinstance(first, Mapping) else None
    return dict(window) if isinstance(window, Mapping) else None


def _orientation(node: ArrayNode) -> dict[str, str] | None:
    """Return the anatomical orientation of each axis that has one (RFC-4)."""
    axes = (node.image.entry if node.image else {}).get("axes")
    found = {}
    for axis in axes if isinstance(axes, list) else ():
        told = axis.get("orientation") if isinstance(axis, Mapping) else None
        if isinstance(told, Mapping):
            told = told.get("value")
        if isinstance(told, str):
            found[str(axis.get("name"))] = told
    return found or None


def _recorded(node: ArrayNode) -> dict[str, int] | None:
    """Return files and empty chunks of the array that hoaconv has recorded in its image."""
    own = node.around.get("hoaconv")
    rows = own.get("levels") if isinstance(own, Mapping) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and row.get("path") == node.level:
            counts = {name: row.get(name) for name in ("files", "empty")}
            if all(isinstance(count, int) for count in counts.values()):
                return counts  # type: ignore[return-value]
    return None
