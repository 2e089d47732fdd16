"""Files that nobody here made, where they are at hand: read as others read them, or refused."""

import gc
import time
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from hoaconv.errors import SourceError
from hoaconv.io.colour import Pick
from hoaconv.io.files import kind_of
from hoaconv.io.stack import open_stack

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SOME = 1 << 28  # bytes above which a volume's header is enough

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data isn't here")


def images(*parts):
    files = sorted(file for file in DATA.joinpath(*parts).rglob("*") if file.is_file())
    return [f for f in files if kind_of(f) or "fuzz_images" in f.parts]


def volume(stack):
    out = np.empty(stack.spec.shape, stack.spec.dtype)
    for z in range(stack.spec.planes):
        stack.read(z, out[z])
    return out


def independent(file):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind_of(file) == "JPEG 2000":
            return imagecodecs.imread(str(file))
        try:
            return tifffile.imread(file)
        except imagecodecs.DeflateError:  # of strips that hold more than they should, libtiff reads
            with Image.open(file) as image:
                return np.asarray(image)


def channel_of(file, channel, kind):
    """One channel, as the other reader gives it: channels lie first, last, or before z."""
    if kind == "TIFF":
        with tifffile.TiffFile(file) as tif:
            series = tif.series[0]
            whole, axes = series.asarray(), series.axes
            page = tif.pages.first
            if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
                return (page.colormap[channel] >> 8).astype(np.uint8)[whole.astype(int)]
        return np.take(whole, channel, axes.index("S" if "S" in axes else "C"))
    return imagecodecs.imread(str(file))[..., channel]


def check(file, link):
    """Whether the file was read; it must be refused or equal to what the other reader gives."""
    link.symlink_to(file)
    refusal, ours, channel = "", None, None
    try:
        try:
            stack = open_stack(link)
        except SourceError as error:
            if "take one, as in `channel=0`" not in str(error):
                raise
            channel = 1
            stack = open_stack(link, pick=Pick(channel=channel))
        ours = volume(stack) if stack.spec.nbytes <= SOME else None
    except SourceError as error:
        refusal = str(error)
    if ours is None:
        assert not refusal or str(link) in refusal
        return not refusal
    theirs = independent(file) if channel is None else channel_of(file, channel, kind_of(link))
    read_as = {"bool": np.uint8, "float16": np.float32}
    theirs = theirs.astype(read_as.get(theirs.dtype.name, theirs.dtype))
    assert theirs.dtype == ours.dtype, file
    np.testing.assert_array_equal(ours, theirs.reshape(ours.shape), err_msg=str(file))
    return True


@pytest.mark.parametrize(
    ("parts", "least"),
    [
        (("tiff", "imagecodecs"), 30),
        (("tiff", "image-tiff", "images"), 60),
        (("tiff", "image-tiff", "libtiffpic"), 10),
        (("tiff", "image-tiff", "fuzz_images"), 0),
        (("jp2",), 10),
    ],
    ids=str,
)
def test_read_as_others_do_or_refused(tmp_path, parts, least, capsys):
    files = images(*parts)
    assert files
    read = 0
    for number, file in enumerate(files):
        suffix = file.suffix if kind_of(file) else ".tif"
        begun = time.perf_counter()
        read += check(file, tmp_path / f"{number}{suffix}")
        # Not a speed test: an endless loop of directories must be found as one.
        assert time.perf_counter() - begun < 20, file
    assert read >= least
    gc.collect()  # an unclosed file would be a ResourceWarning, which is an error here
    assert capsys.readouterr().err == ""


def test_light_sheet_slices():
    stack = open_stack(DATA / "volumes" / "lightsheet_mouse_brain" / "signal")
    assert str(stack.spec) == "26 x 1116 x 627 uint16"
    files = sorted((DATA / "volumes" / "lightsheet_mouse_brain" / "signal").glob("*.tif"))
    np.testing.assert_array_equal(volume(stack), [tifffile.imread(f) for f in files])


def test_micro_ct_slices():
    folder = DATA / "volumes" / "microct_bone" / "3155_D_4_bc" / "cropped"
    stack = open_stack(folder)
    assert str(stack.spec) == "200 x 200 x 200 uint8"
    np.testing.assert_array_equal(
        volume(stack), [tifffile.imread(f) for f in sorted(folder.glob("*.tif"))]
    )


def test_multi_page_fly():
    file = DATA / "volumes" / "qim3d_examples" / "fly_150x256x256.tif"
    stack = open_stack(file)
    assert str(stack.spec) == "150 x 256 x 256 uint8"
    assert stack.geometry.voxel_size is None
    np.testing.assert_array_equal(volume(stack), tifffile.imread(file))
