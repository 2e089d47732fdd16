"""What a worker holds while it reads, against what it says: in processes of their own."""

import subprocess
import sys

import imagecodecs
import numpy as np
import pytest
import tifffile
from jp2s import write_tiles
from PIL import Image

from hoaconv.io.phantom import Phantom

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc"),
]

MEASURE = """
import sys
import numpy as np
from hoaconv.io.colour import Pick
from hoaconv.io.stack import open_stack

picks = {"grey": Pick(), "channel": Pick(channel=1), "luminance": Pick(rgb="luminance")}

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024

for file in sys.argv[3:]:  # the first loads the libraries
    stack = open_stack(file, reduce=int(sys.argv[1]), pick=picks[sys.argv[2]])
    out = np.ones(stack.spec.plane_shape, stack.spec.dtype)
    before = status("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # begins a new peak
    stack.read(0, out)
    peak = status("VmHWM") - before
print(peak, stack.scratch())
"""
EDGE = 2048
# What a formula may say on top, which counts at small planes only: 3 MiB for the heap and the
# libraries, and as much that a run may not show, since the heap had it free before.
SLACK = 6 << 20


def write(path, plane, kind):
    if kind.startswith("JP2 tiles"):
        return write_tiles(path.with_suffix(".jp2"), plane.astype(np.uint8), int(kind.split()[-1]))
    if kind.startswith("loss"):
        exact = kind.startswith("lossless")
        options = {"reversible": True} if exact else {"reversible": False, "level": 46}
        path = path.with_suffix(".jp2")
        path.write_bytes(imagecodecs.jpeg2k_encode(plane, codecformat="jp2", **options))
        return path
    if kind.startswith("RGB"):
        return write_colours(path, plane, kind.split()[1].rstrip(","))
    if kind == "bits in group 4":
        Image.fromarray(plane > 30000).save(path.with_suffix(".tif"), compression="group4")
        return path.with_suffix(".tif")
    if kind.startswith("one strip of"):
        return write_more(path.with_suffix(".tif"), plane, kind.split()[-1])
    options = {
        "raw": {},
        "big-endian raw": {"byteorder": ">"},
        "strips": {"compression": "zstd"},
        "one strip": {"compression": "deflate", "rowsperstrip": EDGE, "predictor": True},
        "big-endian strip": {"compression": "zstd", "rowsperstrip": EDGE, "byteorder": ">"},
        "tiles": {"compression": "lzw", "tile": (512, 512)},
        "bits in strips": {"rowsperstrip": 64},
        "bits in one strip": {"compression": "deflate", "rowsperstrip": EDGE},
        "bits in tiles": {"compression": "packbits", "tile": (512, 512)},
    }[kind]
    path = path.with_suffix(".tif")
    plane = plane > 30000 if kind.startswith("bits") else plane
    tifffile.imwrite(path, plane, photometric="minisblack", **options)
    return path


def write_colours(path, plane, kind):
    path = path.with_suffix(f".{kind}" if kind in ("png", "jp2") else ".tif")
    colours = np.stack([plane, plane + 9, plane[::-1]], axis=2)
    if kind == "png":
        path.write_bytes(imagecodecs.png_encode(colours))
    elif kind == "jp2":
        path.write_bytes(imagecodecs.jpeg2k_encode(colours, codecformat="jp2", reversible=True))
    elif kind == "palette":
        table = np.zeros((3, 256), np.uint16)
        tifffile.imwrite(path, (plane >> 8).astype("u1"), photometric="palette", colormap=table)
    elif kind == "planes":
        planar = np.ascontiguousarray(colours.transpose(2, 0, 1))
        tifffile.imwrite(path, planar, photometric="rgb", planarconfig="separate")
    else:
        tifffile.imwrite(path, colours, photometric="rgb", compression="zstd")
    return path


def write_more(path, plane, compression):
    """One strip that holds a row more than the plane, which a codec may refuse at first."""
    encode = {"deflate": imagecodecs.zlib_encode}.get(compression)
    encode = encode or getattr(imagecodecs, f"{compression}_encode")
    coded = bytes(encode(plane.tobytes() + plane[0].tobytes()))
    options = {"compression": compression, "rowsperstrip": len(plane), "photometric": "minisblack"}
    tifffile.imwrite(path, iter([coded]), shape=plane.shape, dtype=plane.dtype, **options)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "lossless",
        "lossy",
        "lossless, reduced by 2",
        "lossless, reduced by 8",
        "lossy, reduced by 2",
        "JP2 tiles of 16",
        "JP2 tiles of 32",
        "JP2 tiles of 256",
        "raw",
        "big-endian raw",
        "strips",
        "one strip",
        "big-endian strip",
        "tiles",
        "bits in strips",
        "bits in one strip",
        "bits in tiles",
        "bits in group 4",
        "one strip of more in deflate",
        "one strip of more in zstd",
        "one strip of more in packbits",
        "one strip of more in lzma",
        "RGB strips, luminance",
        *(
            pytest.param(f"RGB {kind}", marks=pytest.mark.long)
            for kind in (
                "strips, channel",
                "planes, channel",
                "png, channel",
                "jp2, channel",
                "jp2, luminance",
                "palette, channel",
            )
        ),
    ],
)
def test_measured_is_below_scratch_and_not_far(tmp_path, kind):
    plane = np.empty((EDGE, EDGE), np.uint16)
    Phantom((4, EDGE, EDGE)).read(2, plane)
    small = write(tmp_path / "small", plane[:64, :64].copy(), kind)
    large = write(tmp_path / "large", plane, kind)
    _, _, factor = kind.partition("reduced by ")
    taken = kind.split()[-1] if kind.startswith("RGB") else "grey"
    words = [sys.executable, "-c", MEASURE, factor or "1", taken, small, large]
    run = subprocess.run(words, check=True, capture_output=True, text=True)
    measured, scratch = map(int, run.stdout.split())
    page = 1 << 16
    assert measured <= scratch + page
    assert scratch <= 1.15 * measured + SLACK
