"""Ops from the user's own module, declared as those of the catalogue are."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from os import PathLike
from pathlib import Path
from types import ModuleType

from hoaconv.errors import SpellingError
from hoaconv.ops.declare import EXAMPLES, OPS
from hoaconv.ops.families import families

__all__ = ["load_ops"]

_LOADED: dict[str, bytes] = {}
"""Content of each loaded file, by the name of its module."""


def load_ops(path: str | PathLike[str]) -> None:
    """Run a Python file that adds ops to the catalogue by ``@op``.

    A file that was loaded before and has the same content is left alone. One that was edited since
    is loaded anew: its ops replace those that it declared before. Nothing is declared by a file
    that fails.

    Raises
    ------
    SpellingError
        If there is no such file, it fails, it declares no op, or another file has declared an op
        of the same word.
    """
    file = Path(path).resolve()
    name = f"hoaconv_ops_of_{file.stem}_{abs(hash(file))}"
    if not file.is_file():
        raise SpellingError(f"there is no file {path}; `ops_module` takes a Python file with ops")
    content = file.read_bytes()
    if _LOADED.get(name) == content:
        return
    _forget(name)
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise SpellingError(f"{path} is no Python file; its name has to end in .py")
    families()
    before = set(OPS)
    module = sys.modules[name] = module_from_spec(spec)
    try:
        _run(module, path, content)
        if OPS.keys() == before:
            raise SpellingError(f"{path} declares no op; see examples/your_own_op.py")
    except BaseException:
        del sys.modules[name]
        for word in OPS.keys() - before:
            del OPS[word], EXAMPLES[word]
        raise
    _LOADED[name] = content


def _forget(name: str) -> None:
    """Remove a module and the ops that it has declared."""
    _LOADED.pop(name, None)
    sys.modules.pop(name, None)
    for word in [word for word, op in OPS.items() if op.__module__ == name]:
        del OPS[word], EXAMPLES[word]


def _run(module: ModuleType, path: str | PathLike[str], content: bytes) -> None:
    """Run a module's code. Raises SpellingError with the line if it fails."""
    try:
        # Compiled here: Python's own cache doesn't see a second edit within one second.
        exec(compile(content, str(module.__file__), "exec"), module.__dict__)
    except SpellingError:
        raise
    except Exception as error:
        where = error.__traceback__
        while where and where.tb_next:
            where = where.tb_next
        line = where.tb_lineno if where else 0
        raise SpellingError(
            f"{path} can't be loaded: {type(error).__name__}: {error} (line {line})"
        ) from error
