"""Stores as others read them: zarr-python, TensorStore, ome-zarr-py."""

import numpy as np
import ome_zarr.io
import ome_zarr.reader
import tensorstore as ts
import zarr


def opened(path):
    return zarr.open_group(path, mode="r")


def ome_of(path):
    """The NGFF attributes: below ``ome`` in 0.5, at the root in 0.4."""
    attributes = dict(opened(path).attrs)
    return attributes.get("ome", attributes)


def levels_of(path):
    """Every level, read by zarr-python."""
    datasets = ome_of(path)["multiscales"][0]["datasets"]
    return [opened(path)[dataset["path"]][:] for dataset in datasets]


def read_by_tensorstore(path, ngff):
    driver = "zarr3" if ngff == "0.5" else "zarr"
    paths = [dataset["path"] for dataset in ome_of(path)["multiscales"][0]["datasets"]]
    stores = [{"driver": driver, "kvstore": f"file://{path}/{p}/"} for p in paths]
    return [ts.open(store).result().read().result() for store in stores]


def read_by_ome_zarr(path):
    (node,) = ome_zarr.reader.Reader(ome_zarr.io.parse_url(path, mode="r"))()
    return [np.asarray(level) for level in node.data]


def all_equal(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
