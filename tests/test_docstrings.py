"""Docstrings of public names: numpydoc, every parameter explained, examples that run."""

import doctest
import importlib
import re
from collections.abc import Callable, Iterator
from inspect import Parameter, cleandoc, isclass, isfunction, signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import hoaconv as hc
from hoaconv import ops
from hoaconv.engine import machine
from hoaconv.job.measured import Measured, Values
from hoaconv.job.scalar import Scalar
from hoaconv.job.target import Branch
from hoaconv.job.watching import Place
from hoaconv.ops.declare import EXAMPLES, OPS

pytestmark = pytest.mark.one_python

ROOT = Path(hc.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if path.stem != "__main__"
)
IMPORTED = {"np": np, "hc": hc, "ops": ops}
"""Imports with which the examples begin; the docstring of `hoaconv` says so."""

TOP = [name for name in hc.__all__ if name not in ("__version__", "ops")]

REACHED = (Measured, Values, Scalar, Branch, Place)
"""Classes that users meet without importing them."""

INTERNAL = {
    *("Job.of", "RunPlan.of", "Scalar.of", "Scalar.informs", "Volume.applied"),
    *("OmeZarr.grid", "Zarr.grid", "Stack.names", "Report.record"),
    *(
        f"{output}.{name}"
        for output in ("OmeZarr", "Stack", "Hdf5", "N5", "Precomputed", "Zarr")
        for name in ("take", "given")
    ),
}
"""Members that only hoaconv itself uses."""

WATCHING = {"Watcher.note", "Watcher.planned", "Watcher.progress"}
"""Methods that a user defines: the class has an example of one."""


def public() -> Iterator[tuple[str, Any]]:
    """Yield the names that users reach, as in docs/library.md, and what they name."""
    for name in TOP:
        yield f"hc.{name}", getattr(hc, name)
    for name in [*ops.MODULES, *ops.FUNCTIONS]:
        yield f"ops.{name}", getattr(ops, name)
    for reached in REACHED:
        yield reached.__name__, reached
    for reached in (*REACHED, *(getattr(hc, name) for name in TOP)):
        yield from members(reached) if isclass(reached) else ()


def members(reached: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties of a class that hoaconv defines."""
    for name in dir(reached):
        member = getattr(reached, name, None)
        code = member.fget if isinstance(member, property) else member
        code = getattr(code, "__func__", code)
        if not isfunction(code) or not code.__module__.startswith("hoaconv"):
            continue
        if not name.startswith("_") and f"{reached.__name__}.{name}" not in INTERNAL:
            yield f"{reached.__name__}.{name}", member


PUBLIC = dict(sorted(public()))
CALLED = {name: found for name, found in PUBLIC.items() if not isinstance(found, property)}


def parameters(called: Any) -> list[Parameter]:
    """Return the parameters that a user gives."""
    if isclass(called) and not isfunction(called.__init__):
        return []
    named = [p for p in signature(called).parameters.values() if not p.name.startswith("_")]
    return [p for p in named if p.name not in ("self", "cls")]


def section(text: str, heading: str) -> str:
    """Return the lines below a heading."""
    body = re.compile(rf"^{heading}\n-+\n(.*?)(?=^\w+\n---+$|\Z)", re.MULTILINE | re.DOTALL)
    found = body.search(text)
    return found[1] if found else ""


def documentation(found: Any) -> str:
    return cleandoc(found.__doc__ or "")


@pytest.mark.parametrize("name", PUBLIC)
def test_a_summary_is_one_sentence(name: str) -> None:
    text = documentation(PUBLIC[name])
    assert not re.search(r"^.*[^-\n].*---", text, re.MULTILINE)  # a heading inside a paragraph
    summary = text.partition("\n")[0]
    assert re.match(r"[A-Z0-9`]", summary)
    assert summary.endswith(".")
    assert not re.match(r"(What|How|Whether|Where|Of|The same)\b", summary)


@pytest.mark.parametrize("name", CALLED)
def test_every_parameter_is_explained(name: str) -> None:
    text = documentation(CALLED[name])
    rows = section(text, "Parameters") + section(text, "Attributes")
    heads = re.findall(r"^(\S[^:\n]*)(?: :.*)?\n +\S", rows, re.M)
    explained = {word.strip(" *") for head in heads for word in head.split(",")}
    assert {parameter.name for parameter in parameters(CALLED[name])} <= explained


@pytest.mark.parametrize("name", CALLED)
def test_there_is_an_example(name: str) -> None:
    called = CALLED[name]
    shows_nothing = not isclass(called) and not parameters(called) and returns(called) is None
    if not shows_nothing and name not in WATCHING:
        assert ">>> " in section(documentation(called), "Examples")


@pytest.mark.parametrize("name", [name for name in CALLED if not isclass(CALLED[name])])
def test_a_result_is_explained(name: str) -> None:
    called = CALLED[name]
    if parameters(called) and returns(called) is not None and "." in name:
        text = documentation(called)
        assert section(text, "Returns") or text.startswith("Return ")


def returns(called: Callable[..., Any]) -> Any:
    return signature(called).return_annotation


@pytest.mark.parametrize("name", CALLED)
def test_types_of_parameters_are_plain(name: str) -> None:
    called = CALLED[name]
    if isclass(called) and called.__module__.startswith("hoaconv.job"):
        return  # users don't make volumes, jobs and reports by their classes
    for parameter in parameters(called):
        shown = str(parameter).replace("hoaconv.job.watching.", "")
        assert not re.search(r"hoaconv\.|collections\.|typing\.|Triple", shown)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Give a function that enters a new folder with a stack; ops declared meanwhile are dropped."""
    # A user's process is small; one that has run many tests may hold more than the budgets there.
    monkeypatch.setattr(machine, "resident", lambda: 200_000_000)
    known, examples = dict(OPS), dict(EXAMPLES)
    z, _, x = np.indices((8, 16, 16))

    def enter() -> None:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        (folder / "slices").mkdir(parents=True)
        for i, plane in enumerate((100 * z + x).astype(np.uint16)):
            tifffile.imwrite(folder / "slices" / f"{i:04d}.tif", plane)
        tissue = (x < 8).astype(np.uint8)
        tifffile.imwrite(folder / "tissue.tif", tissue, photometric="minisblack")
        monkeypatch.chdir(folder)

    yield enter
    for declared, before in ((OPS, known), (EXAMPLES, examples)):
        declared.clear()
        declared.update(before)


@pytest.mark.long
@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, folders: Callable[[], None]) -> None:
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder().find(importlib.import_module(name), extraglobs=IMPORTED):
        if test.examples:
            folders()
            runner.run(test)
    assert not runner.failures
