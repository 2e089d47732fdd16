"""Planes that are encoded in the pool: in order, no more at once than is counted."""

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import sleep

import numpy as np
import pytest

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError, StoreError
from hoaconv.io.encoded import EncodingSink, EncodingWriter, not_written
from hoaconv.io.tiff_encoder import TiffEncoder

SPEC = Spec((20, 5, 7), np.dtype("uint16"))


@dataclass(frozen=True)
class Sums(EncodingSink):
    """Stores the sum of each plane."""

    encoder: TiffEncoder = field(default_factory=TiffEncoder)
    path: Path = Path("sums")
    overwrite: bool = False

    def files(self, spec):
        return 0

    def open(self, spec, pool, buffers, economy):
        return Summing(self, spec, pool, buffers, economy)

    def __str__(self):
        return "sums"


class Summing(EncodingWriter):
    bad = -1

    def __init__(self, *given):
        super().__init__(*given)
        self.lock, self.now, self.most = Lock(), 0, 0
        self.stored = []

    def encode(self, z, plane):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        sleep(0.002 * (z % 3))
        with self.lock:
            self.now -= 1
        if z == self.bad:
            raise StoreError("bad")
        return int(plane.sum())

    def store(self, z, encoded):
        self.stored.append((z, encoded))

    def close(self, folds):
        self.finish()
        return {}

    def release(self):
        pass

    def abort(self):
        return False


def fed(writer, volume):
    for plane in volume:
        for rows in (slice(0, 2), slice(2, 5)):
            writer.take(plane, rows)
        writer.advance()
    return writer


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("encoders", [1, 2, 3, 30])
def test_planes_are_stored_in_order_and_held_as_counted(workers, encoders):
    volume = np.random.default_rng(0).integers(0, 99, SPEC.shape, "uint16")
    sink, economy, buffers = Sums(), Economy(encoders=encoders), Buffers()
    with Pool(workers) as pool:
        writer = fed(sink.open(SPEC, pool, buffers, economy), volume)
        writer.close({})
    assert writer.stored == [(z, int(plane.sum())) for z, plane in enumerate(volume)]
    assert writer.most <= min(workers, encoders)
    assert buffers.held <= sink.uses(SPEC, workers, economy)[0].nbytes


def test_an_error_of_the_pool_is_raised_in_the_sweep():
    with Pool(2) as pool:
        writer = Sums().open(SPEC, pool, Buffers(), Economy(encoders=2))
        writer.bad = 3
        with pytest.raises(StoreError, match="bad"):
            fed(writer, np.zeros(SPEC.shape, "uint16")).close({})


def test_all_planes_have_to_come():
    with Pool(1) as pool:
        writer = Sums().open(SPEC, pool, Buffers(), Economy())
        with pytest.raises(PlanError, match="3 planes came of 20"):
            fed(writer, np.zeros(SPEC.shape, "uint16")[:3]).close({})


def test_a_trial_tells_the_bytes_of_all_planes():
    plane = np.zeros((5, 7), "uint16")
    assert SPEC.nbytes < Sums().packed_bytes(SPEC, plane) < SPEC.nbytes + 20 * 1000
    assert 0 < Sums().trial(SPEC, plane) < 1


def test_errors_name_the_file_and_say_what_to_do():
    assert "the disk is full; free" in str(not_written(Path("a"), OSError(28, "No space left")))
    assert "may be full" in str(not_written(Path("a"), OSError("9 requested and 3 written")))
    assert str(not_written(Path("a"), ValueError("odd"))) == "a can't be written: odd"
