"""Slices through nvImageCodec, by what of it runs without a GPU, against OpenJPEG."""

import sys

import numpy as np
import pytest
from invoking import SOURCE, SPELLING, refused, run
from jp2s import random_plane, write
from reading import levels_of

import hoaconv
from hoaconv.errors import SourceError
from hoaconv.io import jp2_gpu
from hoaconv.io.jp2 import read_header


@pytest.fixture
def on_cpu(monkeypatch):
    """Decode by nvImageCodec on the CPU: the same calls, but for the device."""
    nvimgcodec = pytest.importorskip("nvidia.nvimgcodec")
    made = nvimgcodec.Decoder

    def decoder(**options):
        cpu = [nvimgcodec.Backend(nvimgcodec.CPU_ONLY)]
        return made(device_id=nvimgcodec.NVIMGCODEC_DEVICE_CPU_ONLY, backends=cpu, **options)

    monkeypatch.setattr(nvimgcodec, "Decoder", decoder)
    monkeypatch.setattr(jp2_gpu, "_of_thread", jp2_gpu._OfThread())


@pytest.mark.parametrize("codecformat", ["jp2", "j2k"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_voxels_are_openjpegs(tmp_path, on_cpu, dtype, codecformat):
    plane = random_plane(dtype, 8 * np.dtype(dtype).itemsize, (61, 83))
    stored, _ = read_header(write(tmp_path / "a.jp2", plane, codecformat=codecformat))
    out = np.empty_like(plane)
    stored.on_gpu().read(out)
    np.testing.assert_array_equal(out, plane)


def test_a_conversion_by_nvimgcodec_is_that_by_openjpeg(jp2s, tmp_path, on_cpu):
    hoaconv.stack_to_omezarr(jp2s, tmp_path / "a.zarr", decoder="nvimgcodec", workers=2)
    hoaconv.stack_to_omezarr(jp2s, tmp_path / "b.zarr")
    for one, other in zip(*map(levels_of, (tmp_path / "a.zarr", tmp_path / "b.zarr")), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_damaged_slice_is_named(tmp_path, on_cpu):
    stored, _ = read_header(write(tmp_path / "a.jp2", random_plane("uint8", 8)))
    stored.file.write_bytes(stored.file.read_bytes()[:-200])
    with pytest.raises(SourceError, match=r"a\.jp2 changed while hoaconv ran"):
        stored.on_gpu().read(np.empty(stored.shape, stored.dtype))


@pytest.mark.parametrize(("dtype", "bits"), [("uint16", 12), ("int16", 16), ("uint32", 20)])
def test_what_it_may_change_is_refused(tmp_path, dtype, bits):
    file = write(tmp_path / "a.jp2", random_plane(dtype, bits), bitspersample=bits)
    with pytest.raises(SourceError, match=rf"{bits}-bit {dtype} voxels"):
        read_header(file)[0].on_gpu()


def test_without_it_the_option_is_refused(jp2s, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "nvidia.nvimgcodec", None)
    words = ("isn't installed", "hoaconv[gpu]", "drop --decoder")
    refused(run(jp2s, out, "--decoder", "nvimgcodec"), SPELLING, *words)
    assert not out.exists()


def test_without_a_gpu_the_option_is_refused(jp2s, out, monkeypatch):
    def fail():
        raise RuntimeError("CUDA Runtime failure: '#35'\nat somewhere")

    monkeypatch.setattr(jp2_gpu, "_decoder", fail)
    words = ("can't use a GPU (CUDA Runtime failure: '#35')", "drop --decoder")
    refused(run(jp2s, out, "--decoder", "nvimgcodec"), SPELLING, *words)


def test_other_decoders_and_sources_are_refused(jp2s, tiffs, out, tmp_path, on_cpu):
    refused(run(jp2s, out, "--decoder", "openjpg"), SPELLING, "did you mean 'openjpeg'")
    refused(run(tiffs, out, "--decoder", "nvimgcodec"), SOURCE, "only whole JP2 slices")
    refused(run(jp2s, out, "--decoder", "nvimgcodec", "--reduce", "2"), SOURCE, "only whole JP2")
    hoaconv.stack_to_omezarr(tiffs, out)
    words = (out, tmp_path / "b.zarr", "--decoder", "nvimgcodec")
    refused(run(*words), SOURCE, "is zarr")
