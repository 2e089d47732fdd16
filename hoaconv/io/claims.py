"""Claims of outputs, wherever they lie."""

from pathlib import Path

from hoaconv.io.folder import Claim
from hoaconv.io.remote_claim import RemoteClaim
from hoaconv.io.url import Url

__all__ = ["AnyClaim", "claim_of", "claim_on"]

AnyClaim = Claim | RemoteClaim


def claim_of(path: Path, *, overwrite: bool) -> AnyClaim:
    """Claim the folder or the place of a bucket in which a zarr store is to be written.

    Raises
    ------
    SpellingError
        If nothing can be written there, or there are no credentials.
    StoreError
        If what is there prevents writing.
    """
    if isinstance(path, Url):
        return RemoteClaim(path, overwrite=overwrite)
    return Claim(path, overwrite=overwrite)


def claim_on(path: Path) -> AnyClaim | None:
    """Return the claim of this process on a folder or a place; None if there is none."""
    return RemoteClaim.on(path) if isinstance(path, Url) else Claim.on(path)
