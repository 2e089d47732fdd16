from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.errors import SpellingError
from hoaconv.io.compressor import BLOCKS, BLOSC_NAMES, FAST_BLOCK, SHUFFLES, Compressor


@given(st.sampled_from(BLOSC_NAMES), st.integers(0, 9), st.sampled_from(SHUFFLES))
def test_blosc_spellings(name, level, shuffle) -> None:
    made = Compressor.parse(f"blosc-{name}:{level}:{shuffle}:0")
    assert made == Compressor("blosc", level, name, shuffle)
    assert made.v3(2)[0]["configuration"]["typesize"] == 2
    chosen = Compressor.parse(f"blosc-{name}:{level}:{shuffle}")
    assert chosen == replace(made, block=FAST_BLOCK if (name, level) == ("zstd", 1) else 0)


@given(st.integers(*BLOCKS))
def test_blocks_are_those_asked_for(block) -> None:
    made = Compressor.parse(f"blosc-zstd:1:shuffle:{block}")
    assert made.v2()["blocksize"] == made.v3(2)[0]["configuration"]["blocksize"] == block


def test_short_spellings() -> None:
    assert Compressor.parse("lz4") == Compressor("blosc", 1, "lz4", "shuffle")
    assert Compressor.parse(" ZSTD:7 ") == Compressor("zstd", 7)
    assert Compressor.parse("none").v3(2) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zst",
        "zstd:x",
        "zstd:99",
        "gzip:11",
        "blosc-zip",
        "none:1",
        "lz4:1:2:3",
        "lz4:1:shuffle:x",
        "blosc-zstd:1:shuffle:127",
        "blosc-zstd:1:shuffle:1GB",
        "blosc",
        "zstd:1:2",
    ],
)
def test_what_is_no_compressor(text) -> None:
    with pytest.raises(SpellingError, match="compressor"):
        Compressor.parse(text)
