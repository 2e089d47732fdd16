"""OME-Zarr written to buckets: as on disk, never whole before it is, nothing left of a failure."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import zarr
from serving import google, put, s3_server

import hoaconv as hc
from hoaconv.errors import PlanError, SourceError, SpellingError, StoreError
from hoaconv.io import place, remote
from hoaconv.io.claims import claim_on
from hoaconv.io.scratch import ScratchFolder
from hoaconv.io.url import Url

pytestmark = [pytest.mark.one_python, pytest.mark.long]

DST = "s3://bucket/a/brain.zarr"
SHAPE = (20, 33, 41)
ROOT = ("PUT", "/bucket/a/brain.zarr/zarr.json")


@pytest.fixture(scope="module")
def server():
    with s3_server() as running:
        put(f"{running.url}/bucket")
        yield running


@pytest.fixture
def bucket(server, monkeypatch):
    """The one bucket of a server, empty."""
    fast = {"max_retries": 3, "initial_delay": "10ms", "max_delay": "20ms"}
    monkeypatch.setattr(remote, "RETRIES", fast)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    server.fault = lambda method, path, before: None
    store = ts.KvStore.open(remote.spec_of("s3://bucket")).result()
    store.delete_range(ts.KvStore.KeyRange()).result()
    server.asked.clear()
    yield store
    assert claim_on(Url(DST)) is None


@pytest.fixture(scope="module")
def voxels():
    made = np.random.default_rng(5).integers(0, 9000, SHAPE).astype("uint16")
    made[8:16] = 0  # chunks of zeros aren't stored
    return made


def keys(store):
    return sorted(key.decode() for key in store.list().result())


def write(voxels, dst=DST, **options):
    options = {"chunks": 8, "shards": (8, 16, 16), **options}
    if options.get("ngff") == "0.4":
        del options["shards"]
    return (hc.open(voxels, voxel_size=2.5) | hc.OmeZarr(dst, **options)).run(progress=False)


@pytest.mark.parametrize("ngff", ["0.5", "0.4"])
def test_a_store_in_a_bucket_is_that_on_disk(bucket, voxels, tmp_path, ngff):
    there = write(voxels, ngff=ngff)
    here = write(voxels, tmp_path / "brain.zarr", ngff=ngff)
    files = [file for file in (tmp_path / "brain.zarr").rglob("*") if file.is_file()]
    names = [f"a/brain.zarr/{f.relative_to(tmp_path / 'brain.zarr').as_posix()}" for f in files]
    assert keys(bucket) == sorted(names)
    for file, key in zip(files, names, strict=True):
        if file.name not in ("zarr.json", ".zattrs"):  # which tell of the run
            assert bucket.read(key).result().value == file.read_bytes()
    assert there.files == here.files == len(names)
    sizes = sum(len(bucket.read(key).result().value) for key in names)
    assert there.bytes_written == pytest.approx(sizes, abs=600)  # what the report itself takes
    again = hc.open(DST)
    np.testing.assert_array_equal(again.compute(workers=2), voxels)
    assert again.spec.geometry.edges == (2.5, 2.5, 2.5)


def test_labels_and_other_outputs_go_to_buckets_too(bucket, voxels, tmp_path):
    source = tmp_path / "in.zarr"
    write(voxels, source)
    hc.stack_to_omezarr(
        source,
        DST,
        label={"tissue": "threshold 4000"},
        also={"s3://bucket/small.zarr": "bin 2"},
        chunks=16,
    )
    mask = hc.open(f"{DST}/labels/tissue").compute()
    np.testing.assert_array_equal(mask > 0, voxels > 4000)
    assert hc.open("s3://bucket/small.zarr").shape == (10, 17, 21)


def test_the_metadata_of_the_root_come_last(bucket, server, voxels):
    write(voxels)
    puts = [asked for asked in server.asked if asked[0] == "PUT"]
    first = puts.index(ROOT)
    assert set(puts[first:]) == {ROOT}  # once more with the report
    assert len(puts) > 20


def test_what_is_there_is_refused_or_deleted_metadata_first(bucket, server, voxels):
    write(voxels)
    with pytest.raises(StoreError, match=r"exists; .*`overwrite=True`"):
        write(voxels)
    assert hc.plan(DST, "s3://bucket/other.zarr").can_run
    server.asked.clear()
    write(voxels + 1, chunks=16, shards="none", overwrite=True)
    np.testing.assert_array_equal(hc.open(DST).compute(), voxels + 1)
    changes = [asked for asked in server.asked if asked[0] in ("PUT", "DELETE")]
    heads = [asked for asked in changes if asked[1] == ROOT[1]]
    assert heads[0][0] == "DELETE"
    deleted = [i for i, (method, _) in enumerate(changes) if method == "DELETE"]
    assert changes.index(("DELETE", ROOT[1])) < 3
    assert max(deleted) < min(i for i, (method, _) in enumerate(changes) if method == "PUT")
    assert len(keys(bucket)) == Counter(asked[0] for asked in changes)["PUT"] - 1


@pytest.mark.parametrize("fault", [503, 500])
def test_a_write_that_fails_for_a_while_is_repeated(bucket, server, voxels, fault):
    server.fault = lambda method, path, before: fault if method == "PUT" and before < 2 else None
    write(voxels)
    server.fault = lambda method, path, before: None
    np.testing.assert_array_equal(hc.open(DST).compute(), voxels)


FAILURES = [
    ("PUT", "/0/c/2/", 503, r"answers 503 .*after 4 tries"),
    ("PUT", "/0/c/0/", 403, "access is denied"),
    ("PUT", "/1/c/", "lost", "is missing"),
    ("PUT", "/0/zarr.json", 500, "answers 500"),
    ("PUT", "brain.zarr/zarr.json", 503, "answers 503"),
]


@pytest.mark.parametrize(("method", "part", "fault", "words"), FAILURES)
def test_nothing_stays_of_a_failure(bucket, server, voxels, method, part, fault, words):
    server.fault = lambda m, path, before: fault if m == method and part in path else None
    with pytest.raises(StoreError, match=words) as raised:
        write(voxels)
    assert "\n" not in str(raised.value)
    assert keys(bucket) == []


def test_objects_that_somebody_deletes_are_missed(bucket, server, voxels):
    def fault(method, path, before):
        if method == "PUT" and path.endswith("/c/2/0/0") and "/0/" in path:
            bucket.write("a/brain.zarr/0/c/0/0/0", None).result()

    server.fault = fault
    with pytest.raises(StoreError, match=r"1 of .* files that were written are missing"):
        write(voxels)
    assert keys(bucket) == []


def test_what_cannot_be_deleted_is_told_and_is_no_store(bucket, server, voxels):
    def fault(method, path, before):
        if method == "PUT" and "/0/c/2/" in path:
            return 503
        has_failed = any(asked[0] == "PUT" and "/0/c/2/" in asked[1] for asked in server.asked)
        return 403 if method == "DELETE" and has_failed else None  # zeros are deleted too

    server.fault = fault
    with pytest.raises(StoreError) as raised:
        write(voxels)
    told = " ".join([str(raised.value), *getattr(raised.value, "__notes__", ())])
    assert "answers 503" in told
    assert "stays: delete s3://bucket/a/brain.zarr" in told
    server.fault = lambda method, path, before: None
    assert keys(bucket)
    with pytest.raises(SourceError):
        hc.open(DST)
    with pytest.raises(StoreError, match=r"has no metadata, but \d+ files"):
        write(voxels)
    write(voxels, overwrite=True)
    np.testing.assert_array_equal(hc.open(DST).compute(), voxels)


class Breaking:
    """An array that can't be read from some plane on."""

    dtype, shape = np.dtype("uint16"), SHAPE

    def __init__(self, voxels, at, error):
        self.voxels, self.at, self.error = voxels, at, error

    def __getitem__(self, key):
        if key[0].stop > self.at if isinstance(key, tuple) else key.stop > self.at:
            raise self.error
        return self.voxels[key]


@pytest.mark.parametrize("error", [OSError("no"), KeyboardInterrupt()])
def test_nothing_stays_of_a_run_that_is_broken_off(bucket, voxels, error):
    write(voxels)
    before = keys(bucket)
    for at, left in ((4, before), (17, [])):  # before and after the old store is deleted
        with pytest.raises((SourceError, KeyboardInterrupt)):
            write(Breaking(voxels, at, error), overwrite=True)
        assert keys(bucket) == left


def test_what_is_no_store_is_not_overwritten(bucket, voxels):
    bucket.write("a/brain.zarr/zarr.json", b"{}").result()
    bucket.write("a/brain.zarr/thesis.docx", b"text").result()
    with pytest.raises(StoreError, match=r"holds thesis.docx, which is no part"):
        write(voxels, overwrite=True)
    assert len(keys(bucket)) == 2
    bucket.write("a/brain.zarr2/zarr.json", b"{}").result()  # a neighbour with a longer name
    bucket.write("a/brain.zarr/thesis.docx", None).result()
    write(voxels, overwrite=True)
    assert "a/brain.zarr2/zarr.json" in keys(bucket)


REFUSED = [
    ("s3://bucket", StoreError, "is a whole bucket"),
    ("s3://absent/a.zarr", StoreError, "there is no bucket absent"),
    ("https://host/a.zarr", SpellingError, "can only be read"),
    ("gs://bucket/a.zarr", SpellingError, "GOOGLE_APPLICATION_CREDENTIALS"),
]


@pytest.mark.parametrize(("dst", "error", "words"), REFUSED)
def test_where_nothing_can_be_written(bucket, voxels, monkeypatch, tmp_path, dst, error, words):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in remote._GOOGLE_NAMES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(error, match=words):
        write(voxels, dst)
    assert keys(bucket) == []


def test_writing_needs_keys(bucket, voxels, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SpellingError, match="AWS_SECRET_ACCESS_KEY"):
        write(voxels)


def test_a_source_is_not_overwritten(bucket, voxels):
    write(voxels)
    for dst in (DST, f"{DST}/0/new", "s3://bucket/a"):
        with pytest.raises(StoreError, match=r"lie inside|lies inside"):
            hc.stack_to_omezarr(DST, dst, overwrite=True)
    np.testing.assert_array_equal(hc.open(DST).compute(), voxels)


def test_large_shards_are_refused(bucket):
    large = np.broadcast_to(np.zeros((), "uint8"), (2048, 2048, 1024))
    with pytest.raises(PlanError, match=r"less than 4.\d+ G.*`shards`"):
        (hc.open(large) | hc.OmeZarr(DST, chunks=64, shards=2048, levels=1)).plan()


def test_layers_wait_on_this_machine(bucket, voxels, tmp_path):
    assert ScratchFolder.of(Url(DST), tmp_path).folder.parent == tmp_path
    assert not str(ScratchFolder.of(Url(DST), None).folder).startswith("s3:")
    plan = hc.open(voxels) | hc.OmeZarr(DST, chunks=8)
    assert any("waits in" in note for note in plan.plan().notes)
    assert not Path("s3:").exists()


def test_sizes_are_shared_evenly():
    assert place._shares(10, 3) == [3, 3, 4]
    assert place._shares(0, 0) == []


def test_command_line_takes_urls(bucket, voxels, tmp_path):
    from invoking import run

    write(voxels, tmp_path / "in.zarr")
    assert run(tmp_path / "in.zarr", DST, "--chunks", 16).exit_code == 0
    assert run(DST, tmp_path / "out.zarr", "--credentials", "environment").exit_code == 0
    np.testing.assert_array_equal(hc.open(DST).compute(), voxels)


logging.getLogger("werkzeug").setLevel(logging.ERROR)


@pytest.fixture
def google_bucket(monkeypatch):
    with google() as running:
        fast = {"max_retries": 1, "initial_delay": "10ms", "max_delay": "20ms"}
        monkeypatch.setattr(remote, "RETRIES", fast)
        monkeypatch.setenv("TENSORSTORE_GCS_HTTP_URL", running.url)
        monkeypatch.setenv("GOOGLE_AUTH_TOKEN_FOR_TESTING", "key")
        yield running


def test_stores_are_written_to_google_too(google_bucket, voxels):
    """In one test, since tensorstore takes the server's address from the environment once."""
    url = "gs://bucket/a/brain.zarr"
    report = write(voxels, url)
    objects = google_bucket.objects
    assert report.files == len(objects)
    assert report.bytes_written == pytest.approx(sum(len(c) for c, _ in objects.values()), abs=600)
    root = ("PUT", "a/brain.zarr/zarr.json")
    assert set(google_bucket.asked[google_bucket.asked.index(root) :]) == {root}
    with pytest.raises(StoreError, match="exists; name another output"):
        write(voxels, url)
    google_bucket.asked.clear()
    write(voxels + 1, url, overwrite=True)
    assert google_bucket.asked[0] == ("DELETE", root[1])
    again = hc.open(url, credentials="environment")
    np.testing.assert_array_equal(again.compute(workers=2), voxels + 1)
    with pytest.raises((SourceError, KeyboardInterrupt)):
        write(Breaking(voxels, 17, OSError("no")), "gs://bucket/other.zarr")
    assert not [name for name in objects if name.startswith("other")]


@pytest.mark.parametrize("zarr_format", ["3", "2"])
def test_plain_arrays_go_to_buckets(bucket, voxels, zarr_format):
    written = hc.Zarr("s3://bucket/plain.zarr", chunks=16, zarr_format=zarr_format)
    (hc.open(voxels) | written).run(progress=False)
    np.testing.assert_array_equal(hc.open("s3://bucket/plain.zarr").compute(), voxels)
    with pytest.raises(StoreError, match="exists"):
        (hc.open(voxels) | written).run(progress=False)
    other = hc.Zarr("s3://bucket/other.zarr", chunks=4, zarr_format=zarr_format)
    with pytest.raises(SourceError):
        (hc.open(Breaking(voxels, 17, OSError("no"))) | other).run(progress=False)
    assert not [key for key in keys(bucket) if key.startswith("other")]


def test_channels_go_to_buckets_one_after_the_other(bucket, voxels, tmp_path):
    source = tmp_path / "two.zarr"
    both = np.stack([voxels, voxels[::-1]])
    array = zarr.create_array(
        source, data=both, chunks=(1, 8, 33, 41), dimension_names=["c", "z", "y", "x"]
    )
    assert array.shape == both.shape
    hc.stack_to_omezarr(source, DST, chunks=16)
    assert "a/brain.zarr/zarr.json" in keys(bucket)
    for channel in (0, 1):
        read = hc.open(DST, channel=channel).compute()
        np.testing.assert_array_equal(read, both[channel])
