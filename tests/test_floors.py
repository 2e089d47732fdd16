"""The floors of docs/design.md: imports go down only, no cycles, no long files."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hoaconv

ROOT = Path(hoaconv.__file__).parent
MOST_LINES = 400

CONTRACT = {
    "engine.buffers",
    "engine.contract",
    "engine.ends",
    "engine.geometry",
    "engine.pool",
    "engine.spec",
    "engine.stop",
}  # what those outside the engine may know of it
BOTTOM = {"errors", "units", "words"}
FLOORS: dict[str, set[str]] = {
    "__main__": {"cli", "signals"},
    "signals": {"engine.stop"},
    "streams": set(),
    "cli": {
        "engine.machine",
        "engine.stop",
        "signals",
        "streams",
        "convert",
        "demo",
        "progress",
        "show",
        "report",
        *BOTTOM,
    },
    "progress": {"convert", "report", "show", *BOTTOM},
    "show": {"convert", "report", *BOTTOM},
    "demo": {"convert", "io", "report", *BOTTOM},
    "convert": {
        "conversion",
        "measurement",
        "options",
        "paths",
        "report",
        "ops",
        "engine",
        *BOTTOM,
    },
    "conversion": {
        "chains",
        "paths",
        "voxel_edges",
        "found",
        "pictures",
        "options",
        "report",
        "pyramid",
        "io",
        "ops",
        "kernels",
        "engine",
        *BOTTOM,
    },
    "job": {
        "chains",
        "options",
        "report",
        "voxel_edges",
        "io",
        "ops",
        "engine",
        *BOTTOM,
    },
    "measurement": {
        "chains",
        "plots",
        "options",
        "report",
        "io",
        "ops",
        "kernels",
        "engine",
        *BOTTOM,
    },
    "chains": {"kernels", "report", "options", "paths", "io", "ops", "engine", *BOTTOM},
    "plots": {"report", *BOTTOM},
    "voxel_edges": {"pyramid", "io", "engine.geometry", *BOTTOM},
    "found": {"options", "io", "ops", "engine", *BOTTOM},
    "pictures": {"pyramid", "io", "ops", "engine", *BOTTOM},
    "paths": {"io", *BOTTOM},
    "options": {"paths", "pyramid", "io", "ops", "kernels", "engine", *BOTTOM},
    "report": {"engine.schedule", *BOTTOM},
    "pyramid": {"io", "kernels", "engine.bands", *CONTRACT, *BOTTOM},
    "io": {*CONTRACT, *BOTTOM},
    "ops": {"kernels", *CONTRACT, *BOTTOM},
    "kernels": set(),
    "engine": {*BOTTOM},
    "errors": set(),
    "units": {"errors"},
    "words": set(),
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


def test_ops_and_io_never_see_each_other() -> None:
    for path in FILES:
        here = name_of(path).split(".")[0]
        other = {"ops": "io", "io": "ops"}.get(here)
        assert not other or not any(m.split(".")[0] == other for m in imports(path))


def test_no_cycles() -> None:
    graph = {name_of(path): imports(path) for path in FILES}

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above, module])
        for needed in graph.get(module, ()):
            visit(needed, (*above, module))

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_short_and_well_named(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert path.stem not in BANNED_NAMES


LATE = {"__main__", "convert", "demo"}
"""The verbs, which load what they work with when they are called: help doesn't wait for it."""


DOORS = {"__init__", "ops"}
"""Packages whose names are loaded when they are asked for, wherever they lie."""


def test_only_doors_load_modules_by_name() -> None:
    own = re.compile(r'import_module\((f?"hoaconv|_HOMES)')
    loaders = {name_of(path) for path in FILES if own.search(path.read_text(encoding="utf-8"))}
    assert loaders == DOORS


def test_help_loads_neither_kernels_nor_codecs() -> None:
    heavy = "{'numba', 'tensorstore', 'imagecodecs', 'tifffile', 'scipy'}"
    code = f"import sys, hoaconv.cli; print(sorted({heavy} & set(sys.modules)))"
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
