"""OME-Zarr images: levels, downsampling, metadata."""
