"""What a worker holds while it reads of a single file, against what is counted for it."""

import subprocess
import sys

import h5py
import hdf5plugin
import nibabel
import numpy as np
import pytest

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc"),
]

MEASURE = """
import sys
import numpy as np
from hoaconv.io.source import open_volume

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024

def read(source):
    planes = range(min(source.depth, source.spec.planes))
    piece = source.pieces[0]
    shape = [len(range(n)[side]) for n, side in zip(source.spec.plane_shape, piece)]
    out = np.ones((len(planes), *shape), source.spec.dtype)
    before = status("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # begins a new peak
    source.read_piece(planes, piece, out)
    return status("VmHWM") - before, source.piece_bytes(len(planes))

small, large = sys.argv[1:]
read(open_volume(small))  # loads the libraries
print(*read(open_volume(large)))
"""
SLACK = 6 << 20  # as in test_held_while_reading


def write(path, volume, kind):
    if kind.startswith("nii"):
        nibabel.Nifti1Image(volume.transpose(2, 1, 0), np.eye(4)).to_filename(path)
        return
    options = {"h5 gzip": {"compression": "gzip", "shuffle": True}, "h5 sum": {"fletcher32": True}}
    options["h5 blosc"] = dict(hdf5plugin.Blosc())
    chunks = tuple(map(min, (64, 256, 256), volume.shape))
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=volume, chunks=chunks, **options[kind])


@pytest.mark.parametrize("kind", ["nii", "nii.gz", "h5 gzip", "h5 blosc", "h5 sum"])
def test_no_more_is_held_than_is_counted(tmp_path, kind):
    volume = np.random.default_rng(0).integers(0, 99, (64, 256, 512), dtype="uint16")
    if kind.startswith("nii"):
        volume = volume.reshape(4, 2048, 1024)
    suffix = kind.partition(" ")[0]
    small, large = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    write(small, volume[:4, :64, :64].copy(), kind)
    write(large, volume, kind)
    words = [sys.executable, "-c", MEASURE, str(small), str(large)]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    held, counted = map(int, told.split())
    assert held <= counted + SLACK
