import errno
import os
import resource
from contextlib import suppress
from struct import unpack

import numpy as np
import pytest
import tifffile

from hoaconv.errors import BudgetError, SourceError
from hoaconv.io import slices, tiff
from hoaconv.io.slices import blame
from hoaconv.io.stack import open_stack

PLANE = np.arange(600, dtype=np.uint16).reshape(20, 30)


def damaged(number):
    """What a library does with a damaged file, from lines that aren't hoaconv's."""
    raise [TypeError("'NoneType'"), KeyError("COD"), ZeroDivisionError("division by zero")][number]


@pytest.mark.parametrize("number", range(3))
def test_what_a_library_raises_is_the_files_fault_and_not_in_pythons_words(number):
    said = r"a\.jp2 can't be read; it may be damaged"
    with pytest.raises(SourceError, match=said) as caught, blame("a.jp2"):
        damaged(number)
    assert not any(word in str(caught.value) for word in ("Error", "None", "COD", "division"))


@pytest.mark.parametrize("fault", [TypeError, AttributeError, AssertionError, KeyError, NameError])
def test_faults_of_hoaconv_stay_what_they_are(tmp_path, monkeypatch, fault):
    tifffile.imwrite(tmp_path / "a.tif", PLANE)
    ours = compile("def ours(*_): raise fault('of ours')", tiff.__file__, "exec")
    names = {"fault": fault}
    exec(ours, names)
    monkeypatch.setattr(tiff, "channels_of", names["ours"])
    with pytest.raises(fault, match="of ours"):
        open_stack(tmp_path)


def test_memory_that_runs_out_is_no_damage():
    with pytest.raises(BudgetError, match=r"a\.jp2: memory ran out.*`workers`"), blame("a.jp2"):
        raise MemoryError


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_what_the_system_says_of_a_file_is_told(number):
    with pytest.raises(SourceError, match="check the disk") as caught, blame("a.jp2"):
        raise OSError(number, os.strerror(number))
    assert os.strerror(number) in str(caught.value)
    assert "damaged" not in str(caught.value)


def test_too_many_open_files_are_told(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE)
    stack = open_stack(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        with suppress(OSError):
            while True:
                held.append(os.open(tmp_path, os.O_RDONLY))
        with pytest.raises(SourceError, match="too many open files; raise the limit"):
            stack.read(0, np.empty_like(PLANE))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in held:
            os.close(number)


def test_struct_is_a_librarys_too():
    with pytest.raises(SourceError, match="may be damaged"), blame("a.tif"):
        unpack(">I", b"")
    assert slices._OWN in slices.__file__
