"""Bytes, triples and ranges as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.errors import SpellingError
from hoaconv.units import (
    did_you_mean,
    format_bytes,
    format_seconds,
    parse_bytes,
    parse_range,
    parse_triple,
    parse_whole_triple,
)


@given(st.integers(1, 10**18))
def test_formatted_bytes_read_back_within_their_digits(size: int) -> None:
    assert parse_bytes(format_bytes(size)) == pytest.approx(size, rel=0.006, abs=1)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("8GiB", 8 * 2**30),
        ("8 gib", 8 * 2**30),
        ("8G", 8 * 10**9),
        (".5MB", 500_000),
        (7, 7),
    ],
)
def test_bytes(text, size) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "8 GXB", "-1", "0", "8 GiB more", "nan", "1e9"])
def test_what_is_no_size(text) -> None:
    with pytest.raises(SpellingError, match="8GiB"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["", "1,2", "1,2,3,4", "a", "0", "-1,1,1", "nan", "inf", "1;2;3"])
def test_what_is_no_triple(text) -> None:
    with pytest.raises(SpellingError, match="chunks"):
        parse_triple(text, "chunks")


def test_triples() -> None:
    assert parse_whole_triple("64", "chunks") == (64, 64, 64)
    assert parse_whole_triple([1, 2, 3], "chunks") == (1, 2, 3)
    assert parse_triple("0.5, 1,2", "voxel size") == (0.5, 1.0, 2.0)
    with pytest.raises(SpellingError, match="whole"):
        parse_whole_triple("1.5", "chunks")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("1:5", slice(1, 5)),
        (":5", slice(None, 5)),
        ("::2", slice(None, None, 2)),
        ("-3:", slice(-3, None)),
    ],
)
def test_ranges(text, want) -> None:
    assert parse_range(text) == want


@pytest.mark.parametrize("text", ["", "5", "a:b", "1:2:3:4", "5:1:-1", "::0"])
def test_what_is_no_range(text) -> None:
    with pytest.raises(SpellingError, match="START:STOP"):
        parse_range(text)


@given(st.floats(0, 1e7))
def test_seconds_are_never_sixty(seconds: float) -> None:
    assert not any(word.startswith("60") for word in format_seconds(seconds).split()[2:])


def test_did_you_mean() -> None:
    assert did_you_mean("gausian", ["gaussian"]) == "; did you mean 'gaussian'?"
    assert did_you_mean("zzz", ["gaussian"]) == ""
