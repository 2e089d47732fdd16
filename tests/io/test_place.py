"""Places in which stores are written."""

from pathlib import Path

import pytest

from hoaconv.io.place import LocalPlace


def test_a_file_that_cant_be_put_in_its_place_leaves_nothing(tmp_path, monkeypatch) -> None:
    def failing(self, target):
        raise OSError(28, "No space left on device")

    LocalPlace(tmp_path).write("zarr.json", b"{}")
    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="No space"):
        LocalPlace(tmp_path).write("zarr.json", b"other")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("zarr.json", b"{}")]
