"""The stub file with the types of `hoaconv.ops`, whose names are loaded late.

This command writes the file::

    python -c "from hoaconv.job.stub import stub; print(stub(), end='')" > hoaconv/ops/__init__.pyi
"""

from inspect import Parameter, Signature, formatannotation, signature

from hoaconv import ops
from hoaconv.engine.contract import Fold
from hoaconv.job.methods import REDUCTIONS, names
from hoaconv.ops.catalogue import lookup
from hoaconv.ops.thresholds import METHODS

__all__ = ["stub"]

WIDTH = 100
"""Characters of a line."""

HEAD = '''"""Types of the names that are loaded late; written by `hoaconv.job.stub`."""

from typing import Any, overload

from hoaconv.job.measured import Measured as _Measured
from hoaconv.job.scalar import Scalar as _Scalar
from hoaconv.job.volume import Volume as _Volume
'''

AXES, SIZE = "str | tuple[str, ...]", "int | tuple[int, int, int]"
OPTIONS = ["*options: Any", "**named: Any"]
SOURCE = ["source: Any", "/"]


def stub() -> str:
    """Return the text of the stub file."""
    classes = sorted((module, name) for name, module in ops.MODULES.items())
    imports = [f"from hoaconv.ops.{module} import {name} as {name}" for module, name in classes]
    functions = [line for name in names() for line in _functions(name)]
    exported = ["__all__: list[str]", "FUNCTIONS: list[str]", "MODULES: dict[str, str]"]
    return "\n".join([HEAD + "\n".join(imports), "", *exported, "", *functions, ""])


def _functions(name: str) -> list[str]:
    """Return the definition of a function, or its overloads."""
    if name in METHODS:
        return _define(name, SOURCE, "_Scalar")
    if name not in REDUCTIONS:
        op = lookup(name.replace("_", "-"))
        made = "_Measured" if issubclass(op, Fold) else "_Volume"
        return _define(name, [*SOURCE, *_parameters(signature(op))], made)
    if name == "percentile":
        filtered = ["percentile: float", f"size: {SIZE}", *OPTIONS]
        cases = [(["percentile: float"], "_Scalar"), (filtered, "_Volume")]
    else:
        cases = [(["axis: None = None"], "_Scalar"), ([f"axis: {AXES}"], "_Measured")]
        if name not in ("mean", "sum"):
            cases.append(([f"size: {SIZE}", *OPTIONS], "_Volume"))
    return [
        line for own, made in cases for line in ("@overload", *_define(name, [*SOURCE, *own], made))
    ]


def _parameters(shown: Signature) -> list[str]:
    return [_parameter(parameter) for parameter in shown.parameters.values()]


def _parameter(parameter: Parameter) -> str:
    kept = formatannotation(parameter.annotation).replace("typing.", "")
    # Whatever an op takes may be spelled as on the command line.
    most = kept.removesuffix(" | None")
    taken = kept if "str" in kept else f"{most} | str{kept.removeprefix(most)}"
    text = f"{parameter.name}: {taken}"
    return text if parameter.default is Parameter.empty else f"{text} = ..."


def _define(name: str, parameters: list[str], made: str) -> list[str]:
    """Return the lines of a definition, as the formatter breaks them."""
    whole = ", ".join(parameters)
    line = f"def {name}({whole}) -> {made}: ..."
    if len(line) <= WIDTH:
        return [line]
    inner = [f"    {whole}"] if len(whole) + 4 <= WIDTH else [f"    {p}," for p in parameters]
    return [f"def {name}(", *inner, f") -> {made}: ..."]
