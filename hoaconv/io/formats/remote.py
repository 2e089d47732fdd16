"""Stores at a URL: zarr, N5 or precomputed, known by the metadata that are there.

Nothing is listed: servers of HTTP can't, and a listing of a store names each of its chunks.
"""

from hoaconv.errors import SourceError
from hoaconv.io.address import Address
from hoaconv.io.contents import ZARR_FILES
from hoaconv.io.formats.precomputed import is_volume
from hoaconv.io.n5_store import is_told
from hoaconv.io.remote_folder import RemoteFolder

__all__ = ["STORES", "scheme_at"]

STORES = ("zarr", "n5", "precomputed")
"""Schemes of the formats that are read through the network."""


def scheme_at(address: Address) -> str:
    """Return the scheme of the store at a URL, or around it.

    Raises
    ------
    SpellingError
        If the URL names no bucket or host, or there are no such credentials.
    SourceError
        If there is none, or it can't be reached; or its format isn't read through the network.
    """
    folder = RemoteFolder.at(address.place, address.credentials)
    if address.scheme and address.scheme not in STORES:
        raise SourceError(
            f"{address.given} is to be read as {address.scheme}, which hoaconv reads from file "
            "systems: download it first, or mount it"
        )
    if address.scheme:
        if not folder.exists():
            folder.check()
        return address.scheme
    for here in (folder, *folder.around):
        if any(here.has(name) for name in ZARR_FILES):
            return "zarr"
        if is_volume(here):
            return "precomputed"
        if is_told(here):
            return "n5"
    folder.check()
    raise SourceError(
        f"{folder} is no zarr, N5 or precomputed store: there is no zarr.json, .zattrs, "
        "attributes.json or info, nor around it. Check the path; slices and single files are read "
        "from file systems: download them first, or mount them"
    )
