"""A plane comes back from its file, and nothing is replaced unasked."""

import numpy as np
import pytest
import tifffile

from hoaconv.engine.spec import KNOWN
from hoaconv.errors import StoreError
from hoaconv.io.plane_file import check_plane_file, write_plane


@pytest.mark.parametrize("dtype", KNOWN, ids=str)
def test_a_plane_is_read_back(tmp_path, dtype):
    plane = np.arange(35).reshape(5, 7).astype(dtype)
    write_plane(tmp_path / "p.tif", plane)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "p.tif"), plane, strict=True)
    assert [file.name for file in tmp_path.iterdir()] == ["p.tif"]


def test_what_is_there_is_replaced_only_if_asked(tmp_path):
    file = tmp_path / "p.tif"
    check_plane_file(file, overwrite=False)
    write_plane(file, np.zeros((2, 2), np.uint8))
    with pytest.raises(StoreError, match=r"p\.tif exists; move it away, or .* `overwrite=True`"):
        check_plane_file(file, overwrite=False)
    check_plane_file(file, overwrite=True)
    with pytest.raises(StoreError, match="it is a folder"):
        check_plane_file(tmp_path, overwrite=True)


def test_a_plane_that_can_not_be_written_leaves_nothing(tmp_path):
    with pytest.raises(StoreError, match="can't be written: No such file"):
        write_plane(tmp_path / "none" / "p.tif", np.zeros((2, 2), np.uint8))
    (tmp_path / "p.tif").mkdir()
    with pytest.raises(StoreError, match="other outputs are complete"):
        write_plane(tmp_path / "p.tif", np.zeros((2, 2), np.uint8))
    assert [file.name for file in tmp_path.iterdir()] == ["p.tif"]
