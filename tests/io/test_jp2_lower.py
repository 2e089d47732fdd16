"""Lower resolutions against the reversible wavelet's low-pass, written from the standard."""

from functools import reduce

import numpy as np
import pytest
import tifffile
from hypothesis import assume, given
from hypothesis import strategies as st
from jp2s import random_plane, write

from hoaconv.errors import SourceError
from hoaconv.io.jp2 import read_header
from hoaconv.io.stack import open_stack


def low(x):
    """The even outputs of the 5/3 filter along the first axis (ISO/IEC 15444-1, F.4.8.1)."""
    if len(x) == 1:
        return x
    count = (len(x) + 1) // 2
    reach = [(2, 3)] + [(0, 0)] * (x.ndim - 1)
    extended = np.pad(x.astype(np.int64), reach, "reflect")
    even, odd = extended[0::2], extended[1::2]
    high = odd[: count + 1] - (even[: count + 1] + even[1 : count + 2] >> 1)
    return even[1 : count + 1] + (high[:-1] + high[1:] + 2 >> 2)


def lowered(plane, factor):
    """Columns, then rows, as in F.4.2; the decoder cuts what overshoots the voxels' range."""
    halved = reduce(lambda p, _: low(low(p).T).T, range(factor.bit_length() - 1), plane)
    ends = np.iinfo(plane.dtype)
    return np.clip(halved, ends.min, ends.max).astype(plane.dtype)


def read(stored):
    out = np.empty(stored.shape, stored.dtype)
    stored.read(out)
    return out


@pytest.mark.parametrize("codecformat", ["jp2", "j2k"])
@pytest.mark.parametrize("kind", ["int", "uint"])
@pytest.mark.parametrize(("bits", "width"), [(1, 8), (5, 8), (8, 8), (9, 16), (12, 16), (16, 16)])
def test_of_every_depth_the_whole_is_what_imagecodecs_reads(
    tmp_path, kind, bits, width, codecformat
):
    plane = random_plane(f"{kind}{width}", bits)
    file = write(tmp_path / "a.jp2", plane, bitspersample=bits, codecformat=codecformat)
    whole = read_header(file)[0].reduced(1)
    np.testing.assert_array_equal(read(whole), plane)


@given(
    st.sampled_from(["uint8", "int8", "uint16", "int16"]),
    st.tuples(st.integers(32, 99), st.integers(32, 99)),
    st.sampled_from([2, 4, 8, 16]),
    st.integers(0, 99),
)
def test_lower_resolutions_are_the_wavelets_low_pass(tmp_path_factory, dtype, shape, factor, seed):
    ends = np.iinfo(dtype)
    plane = np.random.default_rng(seed).integers(ends.min, ends.max + 1, shape).astype(dtype)
    file = write(tmp_path_factory.mktemp("lower") / "a.jp2", plane, resolutions=6)
    whole, _ = read_header(file)
    assume(factor <= 2**whole.halvings)
    stored = whole.reduced(factor)
    assert stored.shape == tuple(-(-n // factor) for n in shape)
    np.testing.assert_array_equal(read(stored), lowered(plane, factor))


def test_irreversible_slices_look_alike_at_every_resolution(tmp_path):
    y, x = np.indices((130, 95))
    plane = (20000 + 9000 * np.sin(y / 40) + 9000 * np.cos(x / 30)).astype(np.uint16)
    file = write(tmp_path / "a.jp2", plane, reversible=False, level=70, resolutions=4)
    for factor in (1, 2, 4, 8):
        lower = read(read_header(file)[0].reduced(factor)).astype(int)
        assert np.abs(lower - plane[::factor, ::factor]).max() < 100 * factor


def test_levels_that_are_not_there_are_refused(tmp_path):
    file = write(tmp_path / "a.jp2", random_plane("uint8", 8), resolutions=3)
    stored, _ = read_header(file)
    assert read(stored.reduced(4)).shape == (10, 14)
    with pytest.raises(SourceError, match=r"a\.jp2 .* by 8: it has 2 wavelet levels, so by 4"):
        stored.reduced(8)


def test_voxels_of_more_than_16_bits_are_refused(tmp_path):
    file = write(tmp_path / "a.jp2", random_plane("uint32", 20), bitspersample=20)
    with pytest.raises(SourceError, match="20-bit"):
        read_header(file)[0].reduced(2)


def test_slices_that_differ_may_not_agree_once_they_are_lowered(tmp_path):
    for z, width in enumerate((40, 40, 39)):
        write(tmp_path / f"a{z}.jp2", random_plane("uint8", 8, (40, width)), resolutions=2)
    with pytest.raises(SourceError, match=r"a2\.jp2 is 40 x 39"):
        open_stack(tmp_path, reduce=2)


def test_a_file_cut_after_its_header_was_read_is_found(tmp_path):
    file = write(tmp_path / "a.j2k", random_plane("uint16", 16), codecformat="j2k")
    stored = read_header(file)[0].reduced(2)
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(SourceError, match=r"a\.j2k changed while hoaconv ran"):
        read(stored)


def test_tiffs_have_no_lower_resolution(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", random_plane("uint8", 8))
    with pytest.raises(SourceError, match=r"a\.tif can't be reduced by 2: only JP2"):
        open_stack(tmp_path / "a.tif", reduce=2)
