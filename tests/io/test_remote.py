"""Stores behind the network are read as local ones, or refused in one sentence."""

import json
from pathlib import Path
from pickle import dumps, loads

import numpy as np
import pytest
import tensorstore as ts
from serving import put, s3_server, serving

import hoaconv as hc
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io import remote
from hoaconv.io.address import Address
from hoaconv.io.formats.registry import format_of
from hoaconv.io.remote_folder import RemoteFolder
from hoaconv.io.url import Url, as_path, is_remote

pytestmark = pytest.mark.one_python

SHAPE = (20, 33, 41)


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    """Requests are repeated at once, and nothing comes from this machine's own settings."""
    fast = {"max_retries": 3, "initial_delay": "10ms", "max_delay": "20ms"}
    monkeypatch.setattr(remote, "RETRIES", fast)
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "DEFAULT_REGION", "ENDPOINT_URL"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)


@pytest.fixture(scope="module")
def voxels():
    return np.random.default_rng(5).integers(0, 9000, SHAPE).astype("uint16")


@pytest.fixture(scope="module")
def stores(tmp_path_factory, voxels):
    """A folder that holds, below a bucket, a store of each format."""
    bucket = tmp_path_factory.mktemp("served") / "bucket"
    image = hc.OmeZarr(bucket / "a b.zarr", chunks=16, shards=(16, 32, 32), name="brain")
    (hc.open(voxels, voxel_size=2.5) | image).run(progress=False)
    flat = hc.OmeZarr(bucket / "flat.zarr", chunks=16, ngff="0.4", compressor="none")
    (hc.open(voxels, voxel_size=2.5) | flat).run(progress=False)
    (bucket / "mine.n5").mkdir(parents=True)
    (bucket / "mine.n5" / "attributes.json").write_text(json.dumps({"n5": "2.0.0"}))
    written = {
        "mine.n5/s0": {
            "driver": "n5",
            "metadata": {
                "dimensions": SHAPE[::-1],
                "blockSize": [16, 16, 16],
                "dataType": "uint16",
                "compression": {"type": "gzip"},
            },
        },
        "pre": {
            "driver": "neuroglancer_precomputed",
            "multiscale_metadata": {"type": "image", "data_type": "uint16", "num_channels": 1},
            "scale_metadata": {
                "size": SHAPE[::-1],
                "encoding": "raw",
                "chunk_size": [16, 16, 16],
                "resolution": [4, 4, 4],
            },
        },
    }
    for name, spec in written.items():
        kvstore = {"driver": "file", "path": f"{bucket / name}/"}
        array = ts.open({**spec, "kvstore": kvstore}, create=True).result()
        inner = array[..., 0] if array.rank == 4 else array
        inner.write(voxels.T).result()
    return bucket.parent


@pytest.fixture
def server(stores):
    with serving(stores) as running:
        yield running


@pytest.mark.parametrize("name", ["a b.zarr", "a%20b.zarr", "a b.zarr/0/", "flat.zarr"])
def test_zarr_is_read_over_http(server, voxels, name):
    volume = hc.open(f"{server.url}/bucket/{name}")
    np.testing.assert_array_equal(volume.compute(workers=2), voxels)
    assert volume.spec.geometry.edges == (2.5, 2.5, 2.5)
    assert [level.shape for level in volume.levels] == [SHAPE, (10, 17, 21), (5, 9, 11)]


@pytest.mark.parametrize("name", ["mine.n5", "mine.n5/s0", "pre", "pre/4_4_4"])
@pytest.mark.parametrize("scheme", ["", "own"])
def test_other_stores_are_read_over_http(server, voxels, name, scheme):
    own = "n5://" if "n5" in name else "precomputed://"
    volume = hc.open(f"{own if scheme else ''}{server.url}/bucket/{name}")
    np.testing.assert_array_equal(volume.compute(workers=2), voxels)


@pytest.mark.parametrize("name", ["a b.zarr", "n5://mine.n5", "pre"])
def test_buckets_are_read_without_credentials(server, voxels, monkeypatch, name):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("TENSORSTORE_GCS_HTTP_URL", server.url)
    scheme, mark, path = name.rpartition("://")
    for bucket in ("s3://bucket", "gs://bucket"):
        volume = hc.open(f"{scheme}{mark}{bucket}/{path}")
        np.testing.assert_array_equal(volume.compute(workers=2), voxels)


def test_an_op_reads_another_volume_from_a_url(server, voxels):
    url = f"{server.url}/bucket/flat.zarr"
    difference = hc.open(voxels, voxel_size=2.5) | f"subtract {url}"
    assert not difference.compute(workers=2).any()


def test_conversion_and_plan_take_a_url(server, voxels, tmp_path, monkeypatch):
    url = f"{server.url}/bucket/a b.zarr"
    monkeypatch.chdir(tmp_path)
    assert hc.plan(url).can_run
    hc.stack_to_omezarr(url, tmp_path / "out.zarr", chunks=16, watcher=None)
    np.testing.assert_array_equal(hc.open(tmp_path / "out.zarr").compute(), voxels)
    assert hc.stats(url).max == voxels.max()


def test_a_volume_behind_a_url_pickles(server, voxels):
    volume = hc.open(f"{server.url}/bucket/flat.zarr", credentials="anonymous")
    (end,) = volume.plan.ends
    assert loads(dumps(end.part)) == end.part


def test_chunks_of_a_row_are_asked_for_together(server, voxels):
    server.pause = 0.03
    volume = hc.open(f"{server.url}/bucket/flat.zarr")
    before = sum(server.asked.values())
    np.testing.assert_array_equal(volume.compute(workers=2), voxels)
    assert 4 <= server.most <= remote.REQUESTS
    chunks = 2 * 3 * 3
    assert sum(server.asked.values()) - before == chunks  # each once


def test_no_more_requests_at_once_than_allowed(server, voxels, monkeypatch):
    monkeypatch.setattr(remote, "REQUESTS", 2)
    server.pause = 0.005
    np.testing.assert_array_equal(hc.open(f"{server.url}/bucket/flat.zarr").compute(), voxels)
    assert server.most <= 2 + len(("zarr.json", ".zarray"))  # metadata aren't chunks


FAULTS = [503, 500, 429, "reset", "cut"]


@pytest.mark.parametrize(
    ("name", "fault"), [*(("flat.zarr", fault) for fault in FAULTS), ("a b.zarr", "cut")]
)
def test_what_fails_for_a_while_is_asked_for_again(server, voxels, name, fault):
    server.fault = lambda path, before: fault if before < 2 else None
    np.testing.assert_array_equal(hc.open(f"{server.url}/bucket/{name}").compute(), voxels)


WORDS = {
    503: "answers 503 .service unavailable.*after 4 tries",
    500: "answers 500",
    429: "too many requests",
    403: "access is denied .403.*credentials",
    401: "access is denied .401",
    "reset": "connection was broken each time, after 4 tries",
    "cut": "cut off each time",
    "short": "can't be read",
    "long": "can't be read",
}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *(("flat.zarr", fault) for fault in WORDS),
        *(("a b.zarr", fault) for fault in ("cut", "short", "long")),
        *((name, fault) for name in ("mine.n5", "pre") for fault in ("cut", "short")),
    ],
)
def test_chunks_that_never_come_whole_are_an_error(server, name, fault):
    volume = hc.open(f"{server.url}/bucket/{name}")
    folders = ("/c/", "/0/0/", "/s0/", "/4_4_4/")
    server.fault = lambda path, before: fault if any(f in path for f in folders) else None
    with pytest.raises(SourceError, match=WORDS[fault]) as raised:
        volume.compute(workers=2)
    assert server.url in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("fault", [503, 403, "reset", "cut"])
def test_metadata_that_never_come_are_an_error(server, fault):
    server.fault = lambda path, before: fault
    with pytest.raises(SourceError, match=WORDS[fault]):
        hc.open(f"{server.url}/bucket/flat.zarr")


@pytest.mark.parametrize("fault", ["silent", "stalled"])
@pytest.mark.parametrize("where", [pytest.param(0, marks=pytest.mark.long), 1])
def test_a_server_that_stops_answering_ends_in_an_error(server, fault, where, monkeypatch):
    monkeypatch.setattr(RemoteFolder, "patience", 1.0)
    volume = hc.open(f"{server.url}/bucket/flat.zarr")
    server.fault = lambda path, before: fault if where == 0 or "/0/" in path else None
    with pytest.raises(SourceError, match=r"didn't answer within|has stopped answering"):
        volume.compute(workers=2) if where else hc.open(f"{server.url}/bucket/flat.zarr")


@pytest.mark.long
def test_a_silent_request_ends_by_itself(server, monkeypatch):
    monkeypatch.setattr(remote, "RETRIES", {"max_retries": 1, "initial_delay": "10ms"})
    server.fault = lambda path, before: "silent"
    with pytest.raises(SourceError, match="has stopped answering, after 2 tries"):
        hc.open(f"{server.url}/bucket/flat.zarr")


def test_ranges_that_a_server_ignores_are_an_error(server):
    server.takes_ranges = False
    with pytest.raises(SourceError, match="no parts of files, which sharded stores need"):
        hc.open(f"{server.url}/bucket/a b.zarr").compute()


REFUSED = [
    ("{url}/bucket/nothing.zarr", "is no zarr, N5 or precomputed store.*Check the path"),
    ("n5://{url}/bucket/flat.zarr", "no N5 dataset"),
    ("{url}/bucket/flat.zarr?key=1", "signed addresses"),
    ("nrrd://{url}/scan.nrrd", "from file systems: download it first"),
    ("http://no.such.host.invalid/a.zarr", "no network, or no server of the name no.such.host"),
    ("http://127.0.0.1:9/a.zarr", "can't be reached, after 4 tries"),
    ("s3://", "names no bucket"),
    ("https://", "names no host"),
    ("s3://a/b.zarr", "Invalid S3 bucket name"),
]


@pytest.mark.parametrize(("address", "words"), REFUSED)
def test_what_cannot_be_read_is_said_in_one_sentence(server, address, words):
    with pytest.raises((SourceError, SpellingError), match=words) as raised:
        hc.open(address.format(url=server.url))
    assert "\n" not in str(raised.value)


def test_a_path_object_has_lost_a_slash():
    with pytest.raises(SpellingError, match="one slash"):
        hc.open(Path("s3://bucket/brain.zarr"))


CREDENTIALS = [
    ("s3://bucket/a.zarr", "environment", "AWS_ACCESS_KEY_ID"),
    ("gs://bucket/a.zarr", "environment", "GOOGLE_APPLICATION_CREDENTIALS"),
    ("gs://bucket/a.zarr", "profile:me", "no credentials of the kind profile:me"),
    ("https://host/a.zarr", "environment", "read without credentials"),
    ("s3://bucket/a.zarr", "mine", "none of anonymous, environment and profile:NAME"),
    ("s3://bucket/a.zarr", "profile:", "none of anonymous, environment and profile:NAME"),
    ("folder", "anonymous", "for URLs"),
]


@pytest.mark.parametrize(("address", "credentials", "words"), CREDENTIALS)
def test_credentials_that_there_are_not(address, credentials, words, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(SpellingError, match=words):
        hc.open(address, credentials=credentials)


@pytest.mark.parametrize(
    ("keys", "given", "kind"),
    [
        (True, None, {"type": "environment"}),
        (False, None, {"type": "anonymous"}),
        (True, "anonymous", {"type": "anonymous"}),
        (True, "profile:me", {"type": "profile", "profile": "me"}),
    ],
)
def test_credentials_are_always_named(keys, given, kind, monkeypatch):
    if keys:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    named = remote.spec_of("s3://bucket", given)["aws_credentials"]
    assert kind.items() <= named.items()


def test_a_profile_that_there_is_not(server, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(SourceError, match="no such credentials"):
        hc.open("s3://bucket/flat.zarr", credentials="profile:nobody")


def test_a_profile_is_read_from_its_file(server, voxels, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "file"))
    keys = "aws_access_key_id = one\naws_secret_access_key = two\n"
    (tmp_path / "file").write_text(f"[me]\n{keys}", encoding="utf-8")
    volume = hc.open("s3://bucket/flat.zarr", credentials="profile:me")
    np.testing.assert_array_equal(volume.compute(), voxels)


def test_endpoint_and_region_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.example.org/")
    assert remote.spec_of("s3://bucket")["endpoint"] == "https://s3.example.org"
    assert remote.spec_of("s3://bucket")["aws_region"] == "us-east-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert remote.spec_of("s3://bucket")["aws_region"] == "eu-west-3"


def test_urls_are_paths():
    url = as_path("s3://bucket/a/b.zarr")
    assert isinstance(url, Url)
    assert isinstance(as_path(url), Url)
    assert str(url / "0") == "s3://bucket/a/b.zarr/0"
    assert str(url.parent.parent) == "s3://bucket"
    assert str(url.relative_to(url.parent)) == "b.zarr"
    assert is_remote(url)
    assert loads(dumps(url)) == url
    assert not is_remote("a/s3:/b")
    assert not isinstance(as_path("a/b"), Url)
    assert str(Address.of("S3://bucket/a/").path) == "S3://bucket/a"
    assert format_of(Address.of("a/b")) is None


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server:
        yield server.url


@pytest.fixture(scope="module")
def filled(s3, stores):
    """A public store and a private one in a bucket of a real S3 server."""
    put(f"{s3}/bucket")
    for file in (stores / "bucket" / "flat.zarr").rglob("*"):
        if file.is_file():
            key = file.relative_to(stores).as_posix()
            put(f"{s3}/{key}", file.read_bytes(), x_amz_acl="public-read")
    put(f"{s3}/bucket/private.zarr/.zgroup", b'{"zarr_format": 2}')
    return s3


@pytest.fixture
def bucket(filled, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", filled)
    return "s3://bucket"


def test_s3_is_read_with_keys_and_without(bucket, voxels, monkeypatch):
    public = hc.open(f"{bucket}/flat.zarr/0")
    np.testing.assert_array_equal(public.compute(workers=2), voxels)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    np.testing.assert_array_equal(hc.open(f"{bucket}/flat.zarr").compute(), voxels)


def test_s3_says_what_is_not_there(bucket, monkeypatch):
    with pytest.raises(SourceError, match="access is denied"):
        hc.open(f"{bucket}/private.zarr")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    with pytest.raises(SourceError, match="no zarr, N5 or precomputed store"):
        hc.open(f"{bucket}/none.zarr")
    with pytest.raises(SourceError, match="there is no bucket absent"):
        hc.open("s3://absent/none.zarr")
