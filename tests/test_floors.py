"""The floors of docs/design.md: imports go down only, no cycles, no long files."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hoaconv

pytestmark = pytest.mark.one_python

ROOT = Path(hoaconv.__file__).parent
MOST_LINES = 400

FLOORS: dict[str, set[str]] = {
    "__main__": {"terminal"},
    "terminal": {
        "api",
        "job",
        "io.phantom",
        "io.slice_files",
        "engine.machine",
        "engine.stop",
        "errors",
        "units",
    },
    "api": {"job", "ops.catalogue", "ops.own"},
    "job": {
        "pyramid.added",
        "pyramid.array_sink",
        "pyramid.metadata",
        "pyramid.sink",
        "io",
        "ops",
        "kernels.cache",
        "kernels.histogram",
        "engine",
        "errors",
        "units",
    },
    "pyramid": {
        "io",
        "ops.measure",
        "kernels.downsample",
        "engine.bands",
        "engine.buffers",
        "engine.contract",
        "engine.geometry",
        "engine.pool",
        "engine.spec",
        "errors",
    },
    "io": {
        "engine.buffers",
        "engine.contract",
        "engine.geometry",
        "engine.pool",
        "engine.spec",
        "engine.stop",
        "errors",
        "units",
    },
    "ops": {
        "kernels",
        "engine.buffers",
        "engine.contract",
        "engine.dtypes",
        "engine.geometry",
        "engine.spec",
        "errors",
        "units",
    },
    "kernels": set(),
    "engine": {"errors", "units"},
    "units": {"errors"},
    "errors": set(),
}
"""Who may import what, besides itself; ``engine.spec`` is a module, ``engine`` the whole floor."""

BANNED_NAMES = {"utils", "helpers", "common", "base", "core"}
FILES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Modules of hoaconv that a file imports at its top, without the leading ``hoaconv.``."""
    found: set[str] = set()
    known = {name_of(p) for p in FILES}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "hoaconv":
            found |= {a.name for a in node.names if a.name in known}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hoaconv."):
            module = (node.module or "").removeprefix("hoaconv.")
            inner = {f"{module}.{a.name}" for a in node.names} & known
            found |= inner or {module}
    return found


def allowed(module: str, floor: str) -> bool:
    return any(module == a or module.startswith(f"{a}.") for a in {floor, *FLOORS[floor]})


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down_only(path: Path) -> None:
    floor = name_of(path).split(".")[0]
    if floor == "__init__":
        return  # the public names, fetched when asked for
    assert floor in FLOORS, f"{floor} has no place in the table"
    upward = {module for module in imports(path) if not allowed(module, floor)}
    assert not upward


def test_the_table_is_tight() -> None:
    """What a row allows, some module of that row imports."""
    for floor, row in FLOORS.items():
        used = {m for p in FILES if name_of(p).split(".")[0] == floor for m in imports(p)}
        idle = {a for a in row if not any(m == a or m.startswith(f"{a}.") for m in used)}
        assert not idle, floor


def test_a_name_is_imported_from_the_module_that_defines_it() -> None:
    """Nobody goes around the table through a module that passes names on."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            inside = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hoaconv.")
            names = [a.name for a in node.names] if inside else []
            source = ROOT.parent / f"{(node.module or '').replace('.', '/')}.py" if inside else path
            if not inside or not source.is_file() or name_of(path) in ("__init__", "engine.api"):
                continue  # which pass names on to users
            passed_on = {
                a.asname or a.name
                for other in ast.parse(source.read_text(encoding="utf-8")).body
                if isinstance(other, ast.ImportFrom) and (other.module or "").startswith("hoaconv")
                for a in other.names
            }
            gone_around = passed_on & set(names)
            assert not gone_around or name_of(source) in PASSED_ON, name_of(path)


PASSED_ON = ("engine.contract", "engine.api")
"""Modules that give names of others on purpose."""


def test_ops_and_io_never_see_each_other() -> None:
    for path in FILES:
        here = name_of(path).split(".")[0]
        other = {"ops": "io", "io": "ops"}.get(here)
        assert not other or not any(m.split(".")[0] == other for m in imports(path))


def test_no_cycles() -> None:
    graph = {name_of(path): imports(path) for path in FILES}

    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above, module])
        for needed in graph.get(module, set()) - done:
            visit(needed, (*above, module))
        done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_short_and_well_named(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert path.stem not in BANNED_NAMES


LATE = {"__main__", "api", "api.adding", "api.layouts", "api.parts", "api.stacks"}
LATE |= {"api.stores", "terminal.demo"}
"""The verbs, which load what they work with when they are called: help doesn't wait for it."""


def test_the_package_has_few_names_at_its_top() -> None:
    names = {p.name for p in ROOT.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert len(names) <= 12


def test_help_loads_neither_kernels_nor_codecs() -> None:
    heavy = "{'numba', 'tensorstore', 'imagecodecs', 'tifffile', 'scipy'}"
    code = f"import sys, hoaconv.terminal.app; print(sorted({heavy} & set(sys.modules)))"
    words = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert words.stdout.strip() == "[]"


def test_imports_stand_at_the_top() -> None:
    for path in (path for path in FILES if name_of(path) not in LATE):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        inside = [
            n for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)
        ]
        assert not inside, f"{path}:{inside[0].lineno}"
