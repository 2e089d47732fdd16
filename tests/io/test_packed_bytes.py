"""Voxels in one compressed stream: any order gives the same bytes; forwards each decodes once."""

import bz2
import gzip
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoaconv.errors import SourceError
from hoaconv.io import packed_bytes
from hoaconv.io.packed_bytes import PackedBytes

pytestmark = pytest.mark.one_python

PACK = {"gzip": gzip.compress, "zlib": zlib.compress, "bzip2": bz2.compress}
BYTES = np.random.default_rng(0).integers(0, 40, 300_000, dtype=np.uint8).tobytes()


def packed(folder, codec, before=b"header", skip=0, parts=1):
    path = folder / f"{codec}.bin"
    whole, step = b"s" * skip + BYTES, -(-(len(BYTES) + skip) // parts)
    members = [PACK[codec](whole[i : i + step]) for i in range(0, len(whole), step)]
    path.write_bytes(before + b"".join(members))
    return PackedBytes(path, codec, len(BYTES), offset=len(before), skip=skip)


def read(stream, start, stop):
    out = bytearray(stop - start)
    stream.read([(start, memoryview(out))])
    return bytes(out)


@pytest.mark.parametrize("codec", PACK)
@settings(max_examples=15, deadline=None)
@given(data=st.data(), skip=st.sampled_from([0, 5, 1000]))
def test_any_bytes_in_any_order(tmp_path_factory, codec, data, skip):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed_bytes, "APART", 1 << 14)
        patch.setattr(packed_bytes, "PATIENCE", 0)
        stream = packed(tmp_path_factory.mktemp("a"), codec, skip=skip)
        for _ in range(6):
            start = data.draw(st.integers(0, len(BYTES) - 1))
            stop = data.draw(st.integers(start + 1, len(BYTES)))
            assert read(stream, start, stop) == BYTES[start:stop]


@pytest.mark.parametrize("codec", PACK)
def test_forwards_each_byte_is_decoded_once(tmp_path, codec):
    stream = packed(tmp_path, codec, skip=352)
    for start in range(0, len(BYTES), 10_000):
        assert read(stream, start, start + 10_000) == BYTES[start : start + 10_000]
    assert stream.decoded == len(BYTES) + 352


@pytest.mark.parametrize("codec", ["gzip", "zlib"])
def test_backwards_costs_no_more_than_the_way_from_one_kept_place_to_the_next(
    tmp_path, monkeypatch, codec
):
    monkeypatch.setattr(packed_bytes, "APART", 1 << 14)
    monkeypatch.setattr(packed_bytes, "OUTPUT", 1 << 10)
    stream = packed(tmp_path, codec)
    read(stream, 0, len(BYTES))
    before = stream.decoded
    for start in reversed(range(0, len(BYTES), 10_000)):
        read(stream, start, start + 10_000)
    asked = -(-len(BYTES) // 10_000)
    assert stream.decoded - before <= len(BYTES) + asked * ((1 << 14) + (1 << 10))


def test_threads_that_ask_in_turn_are_served_in_the_order_of_the_bytes(tmp_path):
    stream, step = packed(tmp_path, "gzip"), 5000
    starts = iter(range(0, len(BYTES), step))
    found, lock = {}, threading.Lock()

    def work():
        while True:
            with lock:
                start = next(starts, None)
            if start is None:
                return
            found[start] = read(stream, start, start + step)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"".join(found[start] for start in sorted(found)) == BYTES


def test_several_members_are_one_stream(tmp_path):
    for codec in ("bzip2", "zlib"):
        stream = packed(tmp_path, codec, parts=3)
        assert read(stream, 0, len(BYTES)) == BYTES
    with pytest.raises(SourceError, match=r"cut short, or made of several gzip files.*gunzip"):
        packed(tmp_path, "gzip", parts=3)


@pytest.mark.parametrize("codec", PACK)
def test_a_stream_that_is_cut_short_is_an_error(tmp_path, codec):
    packed(tmp_path, codec)
    path = tmp_path / f"{codec}.bin"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SourceError, match="cut short"):
        read(PackedBytes(path, codec, len(BYTES), offset=6), 0, len(BYTES))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SourceError, match="cut short"):
        read(PackedBytes(path, codec, len(BYTES), offset=6), 0, len(BYTES))


@pytest.mark.parametrize("codec", PACK)
def test_damage_is_an_error_and_what_comes_before_is_still_read(tmp_path, codec):
    packed(tmp_path, codec)
    path = tmp_path / f"{codec}.bin"
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 3000] = b"\xff" * 3000
    path.write_bytes(whole)
    stream = PackedBytes(path, codec, len(BYTES), offset=6)
    for _ in range(2):
        with pytest.raises(SourceError, match=f"{codec}.bin"):
            read(stream, 0, len(BYTES))
        assert read(stream, 0, 100) == BYTES[:100] or codec == "bzip2"
