"""Recognition of files and folders that aren't of the kind that their name says."""

__all__ = ["looks_like", "unread_kind"]

_BEGINNINGS = (
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 codestream"),
    (b"\x89HDF", "HDF5"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a zip archive"),
    (b"%PDF", "PDF"),
    (b"<", "a web page or XML"),
)
_READABLE = {
    "TIFF": ".tif",
    "BigTIFF": ".tif",
    "JPEG 2000": ".jp2",
    "PNG": ".png",
    "a JPEG 2000 codestream": ".j2k",
}

_UNREAD = {
    ".bmp": "BMP",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".dcm": "DICOM",
    ".ima": "DICOM",
    ".ims": "Imaris (HDF5)",
    ".czi": "CZI",
    ".nd2": "ND2",
    ".lif": "LIF",
    ".mrc": "MRC",
    ".npy": "NumPy",
}
_VOLUMES = {
    ".nii": "NIfTI",
    ".nii.gz": "NIfTI",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".hdf": "HDF5",
    ".nx": "HDF5",
    ".nxs": "HDF5",
    ".nrrd": "NRRD",
    ".nhdr": "NRRD",
    ".mha": "MetaImage",
    ".mhd": "MetaImage",
    ".vol": "a .vol",
    ".raw": "a raw file",
}
"""Kinds of files that hold a whole volume each."""

_WAYS = {
    "BMP": "convert them first, as in: vips copy a.bmp a.tif",
    "JPEG": "convert them first, as in: vips copy a.jpg a.tif",
    "DICOM": "convert them first, as in: gdcm2pnm or dcm2niix, or pydicom and tifffile in Python",
    "NumPy": "open it in Python, as in hoaconv.open(numpy.load('a.npy', mmap_mode='r')), or save "
    "it as TIFF or zarr first",
}


def looks_like(first: bytes) -> str:
    """Return words on a file of the wrong kind, from its first bytes, with advice."""
    if not first:
        return ": it is empty (0 bytes); copy it again"
    if not any(first):
        return ": it begins with zeros, as of a copy that was stopped; copy it again"
    kind = next((kind for start, kind in _BEGINNINGS if first.startswith(start)), None)
    if kind is None:
        return "; it may be damaged: open it in an image viewer, or copy it again"
    suffix = _READABLE.get(kind)
    todo = f"rename it to end in {suffix}" if suffix else "hoaconv reads TIFF, JPEG 2000 and PNG"
    return f": its first bytes say that it is {kind}; {todo}"


def unread_kind(name: str) -> str:
    """Return words on a kind of file that is no slice; empty for unknown kinds."""
    lower = name.lower()
    volume = next((kind for suffix, kind in _VOLUMES.items() if lower.endswith(suffix)), None)
    if volume:
        return f"; {volume} holds a whole volume: name one such file"
    kind = next((kind for suffix, kind in _UNREAD.items() if lower.endswith(suffix)), None)
    if kind is None:
        return ""
    way = _WAYS.get(kind, "save it as TIFF, JPEG 2000 or zarr first")
    return f"; {kind} is not supported yet: {way}"
