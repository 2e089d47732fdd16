"""Ops as functions and methods: what they take, and what help shows of them."""

import ast
import subprocess
import sys
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from scipy import ndimage

import hoaconv as hc
from hoaconv import ops
from hoaconv.engine.contract import Fold
from hoaconv.job.methods import names
from hoaconv.job.stub import stub
from hoaconv.ops.catalogue import catalogue

ARRAY = np.random.default_rng(0).integers(0, 60000, (12, 13, 14)).astype(np.uint16)


def test_there_is_a_function_for_every_op() -> None:
    assert sorted(ops.FUNCTIONS) == list(names())
    for name in names():
        assert callable(getattr(ops, name))
        assert callable(getattr(hc.open(ARRAY), name))
        assert name in dir(ops)
        assert name in dir(hc.open(ARRAY))


def test_no_function_is_hidden_by_a_module() -> None:
    modules = {path.stem for path in Path(ops.__file__).parent.glob("*.py")}
    assert not modules & set(ops.FUNCTIONS)


def test_star_import_hides_no_function_of_python() -> None:
    assert not set(ops.__all__) & set(dir(__builtins__))


def test_functions_take_whatever_can_be_opened(tmp_path) -> None:
    from hoaconv.ops import gaussian

    want = hc.open(ARRAY).gaussian(1.5).compute()
    tifffile.imwrite(tmp_path / "a.tif", ARRAY, photometric="minisblack")
    zarr.save_array(tmp_path / "a.zarr", ARRAY)
    stored = zarr.open_array(tmp_path / "a.zarr", mode="r")
    sources = (ARRAY, hc.open(ARRAY), tmp_path / "a.tif", str(tmp_path / "a.zarr"), stored)
    for source in sources:
        made = gaussian(source, 1.5)
        assert isinstance(made, hc.Volume)
        assert np.array_equal(made.compute(), want)
    assert np.array_equal(ops.median(ARRAY, size=3).compute(), ndimage.median_filter(ARRAY, 3))
    volume = hc.open(ARRAY)
    assert ops.max(volume, "z") == volume.max("z")


@pytest.mark.parametrize("name", ["gaussian", "gradient_magnitude", "profile", "transpose_xy"])
def test_help_is_that_of_the_op(name) -> None:
    op = catalogue()[name.replace("_", "-")]
    made = "Measured" if issubclass(op, Fold) else "Volume"
    for function in (getattr(ops, name), getattr(hc.open(ARRAY), name)):
        assert function.__name__ == name
        assert function.__doc__.startswith(op.__doc__.partition("\n")[0])
        own, shown = (list(signature(taken).parameters) for taken in (op, function))
        assert shown[len(shown) - len(own) :] == own
        assert signature(function).return_annotation == made
    assert next(iter(signature(getattr(ops, name)).parameters)) == "source"


def test_a_signature_has_plain_types_and_defaults() -> None:
    shown = str(signature(hc.open(ARRAY).gaussian))
    assert shown == (
        "(sigma: float | tuple[float, float, float], mode: str = 'reflect', cval: float = 0.0, "
        "truncate: float = 4.0) -> 'Volume'"
    )
    row = "sigma : float | tuple[float, float, float]\n    standard deviation in voxels"
    assert row in ops.gaussian.__doc__
    assert "mode : {reflect, nearest, mirror, constant}, default 'reflect'" in ops.Gaussian.__doc__
    assert str(signature(hc.Volume.gaussian)).startswith("(self, /, sigma: float")


def test_classes_are_applied_to_a_volume_too() -> None:
    volume = hc.open(ARRAY)
    assert ops.Gaussian(volume, 1.5).same_as(volume | ops.Gaussian(1.5))
    assert ops.Max(volume, size=3).same_as(volume | "max 3")
    assert str(signature(ops.Gaussian)).startswith("(sigma: float")


def test_another_name_is_none() -> None:
    with pytest.raises(AttributeError, match="blurr"):
        ops.blurr  # noqa: B018


def test_importing_the_door_loads_nothing_heavy() -> None:
    code = (
        "import sys; from hoaconv import ops; import hoaconv; dir(ops); dir(hoaconv); "
        "print([m for m in sys.modules if m.startswith('hoaconv') or m in ('numpy', 'numba')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['hoaconv', 'hoaconv.ops']"


def test_the_stub_is_that_of_the_catalogue() -> None:
    stub_file = Path(ops.__file__).with_suffix(".pyi")
    assert stub_file.read_text(encoding="utf-8") == stub()


def test_the_stub_has_every_name_of_the_module() -> None:
    tree = ast.parse(stub())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    imported = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert functions == set(ops.FUNCTIONS)
    assert {name for name in imported if name and not name.startswith("_")} == set(ops.MODULES)
