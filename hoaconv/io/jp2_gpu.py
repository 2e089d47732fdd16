"""JPEG 2000 slices on a GPU, decoded by nvImageCodec if the user asks for it.

hoaconv never uses this decoder unasked, and uses no other decoder if this one fails. Voxels of
irreversibly coded slices may differ from those of OpenJPEG by rounding.
"""

import threading
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.jp2_holes import check_holes
from hoaconv.io.opened import opened
from hoaconv.io.slices import StoredSlice, blame

__all__ = ["BITS", "GpuJp2Slice", "check_gpu"]

BITS = (8, 16)
"""Bits of an unsigned voxel that nvImageCodec decodes without a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuJp2Slice(StoredSlice):
    """One JP2 file or bare codestream, decoded on a GPU.

    Attributes
    ----------
    span, zeros
        See `hoaconv.io.jp2.Jp2Slice`.
    """

    span: tuple[int, int]
    zeros: int | None

    def read(self, out: Plane) -> None:
        """Decode into `out` (y, x) with this thread's own decoder, through host memory.

        Raises
        ------
        SourceError
            If the slice can't be decoded, is damaged, or has another shape or dtype than `out`.
        """
        with blame(self.label), opened(self.file, self.seen) as stream:
            decoder, parameters = _of_thread.decoder
            coded = stream.readall()
            image = decoder.decode(coded, params=parameters)
            if image is None:
                raise SourceError(
                    f"{self.label} can't be decoded by nvImageCodec; drop `decoder`, and OpenJPEG "
                    "will read it"
                )
            values = np.asarray(image.cpu())
            if values.dtype != out.dtype or values.size != out.size:
                raise SourceError(
                    f"{self.label} came back from nvImageCodec as {values.shape} {values.dtype} "
                    f"instead of {self}; drop `decoder`"
                )
            out[...] = values.reshape(out.shape)
            check_holes(self.label, coded, self.span, self.zeros, out)


def check_gpu() -> None:
    """Check that a decoder can be made.

    Raises
    ------
    SpellingError
        If nvImageCodec isn't installed, or finds no GPU.
    """
    try:
        _decoder()
    except ImportError as error:
        raise SpellingError(
            f"decoder nvimgcodec isn't installed ({error}); pip install 'hoaconv[gpu]', or drop "
            "`decoder`"
        ) from error
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise SpellingError(
            f"decoder nvimgcodec can't use a GPU ({reason:.200}); drop `decoder`"
        ) from error


def _decoder() -> tuple[Any, Any]:
    """Return a decoder on the current GPU, and parameters that keep voxels unchanged."""
    nvimgcodec = import_module("nvidia.nvimgcodec")  # this import loads CUDA
    parameters = nvimgcodec.DecodeParams(
        color_spec=nvimgcodec.ColorSpec.UNCHANGED, allow_any_depth=True
    )
    return nvimgcodec.Decoder(max_num_cpu_threads=1), parameters


class _OfThread(threading.local):
    """Decoder of each thread, made at its first use."""

    @property
    def decoder(self) -> tuple[Any, Any]:
        if not hasattr(self, "_made"):
            self._made = _decoder()
        return self._made


_of_thread = _OfThread()
