"""What is put comes back, from any thread, and a disk that refuses is named."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.spec import KNOWN
from hoaconv.errors import StoreError
from hoaconv.io.packed import HEADER, PackedFile, PackedMemory, packing_bytes


def noise(shape, dtype, seed=0):
    """Any bits at all: NaN of every kind among them."""
    size = int(np.prod(shape)) * dtype.itemsize
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8).view(dtype).reshape(shape)


def same_bits(one, other):
    return one.tobytes() == other.tobytes()


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    dtype=st.sampled_from(KNOWN),
    first=st.integers(0, 39),
    random=st.booleans(),
)
def test_an_array_or_a_view_with_gaps_comes_back(tmp_path_factory, shape, dtype, first, random):
    file = PackedFile(tmp_path_factory.mktemp("packed") / "file")
    plane = noise(shape, dtype) if random else np.full(shape, 7, dtype)
    view = plane[:, min(first, shape[1] - 1) :]
    place = file.put(view)
    assert place[1] <= view.nbytes + HEADER
    back = np.empty_like(view, order="C")
    file.get(place, back)
    assert same_bits(back, view)
    file.remove()


def test_threads_put_and_get_at_once(tmp_path):
    file = PackedFile(tmp_path / "file")
    planes = [noise((97, 1031), np.dtype("uint16"), seed) for seed in range(40)]

    def there_and_back(plane):
        back = np.empty_like(plane)
        file.get(file.put(plane), back)
        return same_bits(plane, back)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(there_and_back, planes))
    assert file.path.stat().st_size == file.nbytes
    file.remove()


def test_a_cleared_file_is_written_over(tmp_path):
    file = PackedFile(tmp_path / "file")
    for seed in range(5):
        plane = noise((50, 50), np.dtype("uint8"), seed)
        place = file.put(plane)
        assert place[0] == 0
        back = np.empty_like(plane)
        file.get(place, back)
        assert same_bits(plane, back)
        file.clear()
    assert file.path.stat().st_size == 50 * 50 + HEADER
    file.remove()


def test_nothing_is_made_before_the_first_write_and_nothing_is_left(tmp_path):
    file = PackedFile(tmp_path / "deep" / "file")
    file.remove()
    assert not list(tmp_path.iterdir())
    file.put(np.zeros((3, 3)))
    assert file.path.exists()
    for _ in range(2):
        file.remove()
        assert not file.path.exists()


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    file = PackedFile(tmp_path / "file")
    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr(file, "_opened", lambda: full)
        with pytest.raises(StoreError, match=rf"{file.path}.*No space left.*`scratch`"):
            file.put(np.zeros((3, 3)))


def test_somebody_elses_file_is_never_written_over(tmp_path):
    (tmp_path / "file").write_text("precious")
    file = PackedFile(tmp_path / "file")
    with pytest.raises(StoreError, match="exists"):
        file.put(np.zeros((3, 3)))
    file.remove()
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("damage", ["gone", "short", "garbled"])
def test_what_can_not_be_read_back_is_told(tmp_path, damage):
    file = PackedFile(tmp_path / "file")
    place = file.put(noise((30, 30), np.dtype("uint16")))
    if damage == "gone":
        file.path.unlink()
    elif damage == "short":
        file.path.write_bytes(file.path.read_bytes()[:100])
    else:
        file.path.write_bytes(bytes(place[1]))
    with pytest.raises(StoreError, match=rf"{file.path}.*read back"):
        file.get(place, np.empty((30, 30), np.uint16))
    file.remove()


@pytest.mark.parametrize("columns", [1000, 700])
def test_packing_holds_what_it_says(tmp_path, columns):
    file = PackedFile(tmp_path / "file")
    plane = noise((1000, 1000), np.dtype("uint16"))[:, :columns]
    back = np.empty_like(plane, order="C")
    tracemalloc.start()
    try:
        place = file.put(plane)
        file.get(place, back)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= packing_bytes(plane.nbytes) + 20_000
    file.remove()


@given(
    dtype=st.sampled_from(KNOWN),
    random=st.lists(st.booleans(), min_size=1, max_size=12),
    nbytes=st.integers(1, 60_000),
)
def test_arrays_in_memory_come_back_and_so_do_those_that_find_no_room(
    tmp_path_factory, dtype, random, nbytes
):
    buffers, file = Buffers(), PackedFile(tmp_path_factory.mktemp("packed") / "file")
    memory = PackedMemory(nbytes, file, buffers)
    shape = (50, 40)
    planes = [
        noise(shape, dtype, z) if r else np.full(shape, z, dtype) for z, r in enumerate(random)
    ]
    for _ in range(2):
        with ThreadPoolExecutor(3) as threads:
            places = list(threads.map(memory.put, planes))
        in_memory = [size for start, size in places if start < nbytes]
        assert sum(in_memory) <= nbytes
        assert file.nbytes == sum(size for _, size in places) - sum(in_memory)
        assert not file.nbytes or nbytes - sum(in_memory) < planes[0].nbytes + HEADER
        for place, plane in zip(places, planes, strict=True):
            back = np.empty_like(plane)
            memory.get(place, back)
            assert same_bits(plane, back)
        memory.clear()
    assert buffers.held in (0, nbytes)
    file.remove()


def test_memory_is_taken_with_the_first_array_and_returned_with_the_last_reference(tmp_path):
    buffers, file = Buffers(), PackedFile(tmp_path / "file")
    memory = PackedMemory(10_000, file, buffers)
    assert buffers.held == 0
    memory.put(np.zeros((50, 50)))
    assert buffers.held == 10_000
    del memory
    buffers.take((10_000,), np.uint8)
    assert buffers.held == 10_000
    assert not file.path.exists()
