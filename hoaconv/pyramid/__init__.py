"""What makes an array an OME-Zarr image: levels, downsampling, metadata."""
