"""Stores of several formats, written by the libraries of these formats."""

import json
import os

import numpy as np
import tensorstore as ts
import zarr

BLOCKS = (16, 32, 8)  # x, y, z


def write_n5(path, volume, *, axes="xyz", blocks=BLOCKS, attributes=None, compression=None):
    """An N5 dataset of a volume (z, y, x), with its axes stored in this order."""
    path.mkdir(parents=True, exist_ok=True)
    stored = volume.transpose(["zyx".index(a) for a in axes])
    metadata = {
        "dimensions": stored.shape,
        "blockSize": [blocks["xyz".index(a)] for a in axes],
        "dataType": volume.dtype.name,
        "compression": compression or {"type": "gzip"},
    }
    kvstore = f"file://{path}/"
    array = ts.open({"driver": "n5", "kvstore": kvstore, "metadata": metadata}, create=True)
    array.result().write(stored).result()
    attributes = {"axes": [*axes], **(attributes or {})}
    merge_json(path / "attributes.json", {k: v for k, v in attributes.items() if v is not None})
    return path


def merge_json(file, more):
    told = json.loads(file.read_text()) if file.exists() else {}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told | more))
    return file


def write_precomputed(path, volumes, resolutions, offsets, **scale):
    """A precomputed volume of scales, each (c, z, y, x) or (z, y, x)."""
    path.mkdir(parents=True, exist_ok=True)
    for volume, resolution, offset in zip(volumes, resolutions, offsets, strict=True):
        whole = volume if volume.ndim == 4 else volume[None]
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": f"file://{path}/",
            "multiscale_metadata": {
                "type": "image"
                if scale.get("encoding") != "compressed_segmentation"
                else "segmentation",
                "data_type": volume.dtype.name,
                "num_channels": len(whole),
            },
            "scale_metadata": {
                "encoding": "raw",
                "chunk_size": BLOCKS,
                "size": whole.shape[:0:-1],
                "resolution": resolution,
                "voxel_offset": offset,
                **scale,
            },
        }
        ts.open(spec, create=True).result().write(whole.T).result()
    return path


def ome_attributes(scales, axes="zyx", unit="micrometer"):
    """Attributes of an OME-Zarr 0.5 image of levels "0", "1" and so on."""
    datasets = [
        {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": list(scale)}]}
        for i, scale in enumerate(scales)
    ]
    named = [{"name": a, "type": "space", "unit": unit} for a in axes]
    image = {"axes": named, "datasets": datasets}
    return {"ome": {"version": "0.5", "multiscales": [image]}}


def write_zip(path, volumes, scales, **layout):
    """A zip file with an OME-Zarr image, by zarr-python."""
    with zarr.storage.ZipStore(path, mode="w") as store:
        group = zarr.create_group(store, attributes=ome_attributes(scales))
        for i, volume in enumerate(volumes):
            array = group.create_array(str(i), shape=volume.shape, dtype=volume.dtype, **layout)
            array[...] = volume
    return path


def count_of(shape, chunks):
    """Chunks of an array."""
    return int(np.prod([-(-n // c) for n, c in zip(shape, chunks, strict=True)]))


def bytes_in(folder):
    return sum(
        os.path.getsize(os.path.join(where, name))
        for where, _, names in os.walk(folder)
        for name in names
        if not name.endswith(".json") and name != "info"
    )
