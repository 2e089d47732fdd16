"""Sources and sinks of one's own: the library opens the ones, and writes to the others."""

import pickle

import numpy as np
import pytest

import hoaconv as hc
from hoaconv.engine.api import Sink, Source, Spec, Use, Writer
from hoaconv.errors import SpellingError


class Wave(Source):
    """Planes whose voxels are their numbers."""

    def __init__(self, shape=(12, 9, 11)):
        self.shape = shape

    @property
    def spec(self):
        return Spec(self.shape, np.dtype("uint16"))

    @property
    def stored_bytes(self):
        return 0

    def read(self, z, out):
        out[...] = z

    def scratch(self):
        return 0


class Kept(Sink):
    """Keeps all planes."""

    def infer(self, spec):
        return spec

    def uses(self, spec, workers, economy):
        return (Use("kept", "all planes", spec.nbytes),)

    def storing(self, spec, workers, economy):
        return 0

    def files(self, spec):
        return 0

    def trial(self, spec, plane):
        return 0.0

    def warm(self, spec):
        pass

    def open(self, spec, pool, buffers, economy):
        self.planes = np.empty(spec.shape, spec.dtype)
        return Keeping(self.planes)


class Keeping(Writer):
    def __init__(self, planes):
        self.planes, self.z = planes, 0

    def take(self, plane, rows):
        self.planes[self.z, rows] = plane[rows]

    def advance(self):
        self.z += 1

    def close(self, folds):
        return {"planes": self.z}

    def release(self):
        pass

    def abort(self):
        return False


WAVE = np.broadcast_to(np.arange(12, dtype="uint16")[:, None, None], (12, 9, 11))


def test_a_source_is_a_volume():
    volume = hc.open(Wave())
    assert volume.shape == (12, 9, 11)
    np.testing.assert_array_equal(volume.compute(), WAVE)
    np.testing.assert_array_equal(volume.add(3)[4:9:2], WAVE[4:9:2] + 3)
    np.testing.assert_array_equal(volume.max("z").compute(), WAVE.max(0))
    with pytest.raises(SpellingError, match="a Wave has its voxel size and orientation already"):
        hc.open(Wave(), voxel_size=2)


def test_a_sink_ends_a_job_as_an_image_does(tmp_path):
    sink, other = Kept(), Kept()
    job = hc.open(Wave()).add(1) | sink
    assert job.plan().can_run
    report = job.run(progress=False)
    np.testing.assert_array_equal(sink.planes, WAVE + 1)
    assert report[sink]["planes"] == report["Kept"]["planes"] == 12
    volume = hc.open(Wave())
    many = hc.store({other: volume, tmp_path / "a.zarr": volume.add(2), "top": volume.max("z")})
    report = many.run(progress=False)
    np.testing.assert_array_equal(other.planes, WAVE)
    np.testing.assert_array_equal(hc.open(tmp_path / "a.zarr").compute(), WAVE + 2)
    assert report[other]["planes"] == 12
    assert "object at" not in (tmp_path / "a.zarr" / "zarr.json").read_text()


def test_what_is_no_volume_goes_to_no_sink():
    with pytest.raises(SpellingError, match="two outputs are called Kept"):
        hc.store({Kept(): hc.open(Wave()), Kept(): hc.open(Wave())})


class Local(Kept):
    def __init__(self):
        self.lock = lambda: None


def test_a_job_says_which_of_its_ends_does_not_pickle():
    job = pickle.loads(pickle.dumps(hc.open(Wave()) | Kept()))
    assert job.run(progress=False)["Kept"]["planes"] == 12
    with pytest.raises(pickle.PicklingError, match="'Local' doesn't pickle"):
        pickle.dumps(hc.open(Wave()) | Local())
