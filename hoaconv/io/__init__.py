"""Sources and sinks: slices in JP2 and TIFF, zarr arrays, folders."""
