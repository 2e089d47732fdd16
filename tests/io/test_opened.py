import os
import socket

import numpy as np
import pytest
import tifffile
from jp2s import random_plane, write

from hoaconv.errors import SourceError
from hoaconv.io import tiff
from hoaconv.io.stack import open_stack

PLANE = np.arange(48 * 80, dtype=np.uint16).reshape(48, 80)


def replaced(file):
    tifffile.imwrite(file, PLANE.astype(np.float32))


def wider(file):
    tifffile.imwrite(file, np.tile(PLANE, 2))


def swapped(file):
    tifffile.imwrite(file, PLANE, byteorder=">")


def shifted(file):
    tifffile.imwrite(file, PLANE, description="x" * 500)


def endless(file):
    file.unlink()
    file.symlink_to("/dev/zero")


def rewritten(file):
    """The same bytes again, in place, as a scanner does that goes on."""
    coded = file.read_bytes()
    before = file.stat().st_mtime_ns
    file.write_bytes(coded)
    os.utime(file, ns=(before + 1, before + 1))


def moved_over(file, later=1):
    """Another file of the same size, by default a nanosecond younger."""
    times = file.stat()
    other = file.with_suffix(".other")
    other.write_bytes(file.read_bytes())
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns + later))
    os.replace(other, file)


@pytest.mark.parametrize("change", [replaced, wider, swapped, shifted, rewritten, moved_over])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_tiff_that_changes_after_its_header_was_checked(tmp_path, change, compression):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, PLANE, compression=compression)
    stack = open_stack(file)
    change(file)
    with pytest.raises(SourceError, match=r"a\.tif changed while hoaconv ran"):
        stack.read(0, np.empty_like(PLANE))


@pytest.mark.parametrize("suffix", [".tif", ".jp2"])
def test_an_inode_that_changes_is_no_change_of_the_file(tmp_path, suffix):
    """As on vfat, CIFS, sshfs, where a file that isn't open has another each time."""
    for z in range(3):
        file = tmp_path / f"s_{z}{suffix}"
        tifffile.imwrite(file, PLANE) if suffix == ".tif" else write(file, PLANE)
    stack = open_stack(tmp_path)
    for file in stack.files:
        before = file.stat().st_ino
        moved_over(file, later=0)
        assert file.stat().st_ino != before
    out = np.empty_like(PLANE)
    stack.read(1, out)
    np.testing.assert_array_equal(out, PLANE)


def test_a_link_to_a_device_that_takes_a_files_place(tmp_path):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, PLANE)
    stack = open_stack(file)
    endless(file)
    with pytest.raises(SourceError, match=r"a\.tif is a device"):
        stack.read(0, np.empty_like(PLANE))


@pytest.mark.parametrize("change", [rewritten, moved_over])
@pytest.mark.parametrize("reduce", [1, 2])
def test_a_jp2_that_changes_after_its_header_was_checked(tmp_path, change, reduce):
    file = write(tmp_path / "a.jp2", random_plane("uint16", 16))
    stack = open_stack(file, reduce=reduce)
    change(file)
    with pytest.raises(SourceError, match=r"a\.jp2 changed while hoaconv ran"):
        stack.read(0, np.empty(stack.spec.plane_shape, stack.spec.dtype))


def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, PLANE)
    stack = open_stack(file)
    read = tiff.read_plain

    def read_and_change(*arguments, **options):
        read(*arguments, **options)
        rewritten(file)

    monkeypatch.setattr(tiff, "read_plain", read_and_change)
    with pytest.raises(SourceError, match="changed while hoaconv ran"):
        stack.read(0, np.empty_like(PLANE))


@pytest.mark.parametrize("suffix", [".tif", ".jp2"])
@pytest.mark.parametrize("beside", [False, True])
def test_pipes_devices_and_sockets_are_named_and_never_opened(tmp_path, suffix, beside):
    pipe, device, door = (tmp_path / kind / f"s_1{suffix}" for kind in ("pipe", "device", "socket"))
    for file in (pipe, device, door):
        file.parent.mkdir()
        if beside:
            tifffile.imwrite(file.with_name("s_0.tif"), PLANE)
            (file.with_name("s_0.tif")).rename(file.with_name(f"s_0{suffix}"))
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(door.parent)  # a socket's path has to be short
        server.bind(door.name)
        os.chdir(here)
        for file in (pipe, device, door):
            for src in (file.parent, file):
                with pytest.raises(SourceError, match=rf"is a {file.parent.name};|no JPEG"):
                    open_stack(src)


def test_a_link_to_itself_says_so(tmp_path):
    (tmp_path / "loop.tif").symlink_to(tmp_path / "loop.tif")
    with pytest.raises(SourceError, match=r"loop\.tif is a link that leads back to itself"):
        open_stack(tmp_path / "loop.tif")
    with pytest.raises(SourceError, match=r"loop\.tif is a link that leads back to itself"):
        open_stack(tmp_path)
