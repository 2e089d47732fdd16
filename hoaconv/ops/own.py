"""Ops from the user's own module, declared as those of the catalogue are."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from os import PathLike
from pathlib import Path

from hoaconv.errors import SpellingError
from hoaconv.ops.declare import EXAMPLES, OPS

__all__ = ["load_ops"]

_LOADED: dict[str, tuple[tuple[int, int], tuple[str, ...]]] = {}
"""Of each module: when its file was changed, its size, and the words that it declared."""


def _forget(name: str) -> None:
    """Take back what an older version of a file has declared."""
    for word in _LOADED.pop(name)[1]:
        OPS.pop(word, None)
        EXAMPLES.pop(word, None)
    del sys.modules[name]


def load_ops(path: str | PathLike[str]) -> None:
    """Run a Python file, in which ``@register`` adds ops to the catalogue.

    A file that was loaded before is left alone, so that one process may convert many times; one
    that was edited since is loaded again, in place of what it declared before.

    Raises
    ------
    SpellingError
        If there is no such file, it fails, or it declares no op.
    """
    file = Path(path).resolve()
    name = f"hoaconv_ops_of_{file.stem}_{abs(hash(file))}"
    if not file.is_file():
        raise SpellingError(f"there is no file {path}; --ops-module takes a Python file with ops")
    stamp = (file.stat().st_mtime_ns, file.stat().st_size)
    if name in sys.modules:
        if _LOADED[name][0] == stamp:
            return
        _forget(name)
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise SpellingError(f"{path} is no Python file; its name has to end in .py")
    before = dict(OPS)
    module = sys.modules[name] = module_from_spec(spec)
    try:
        # Compiled here: Python's own cache doesn't see a second edit within one second.
        exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
        if OPS.keys() == before.keys():
            raise SpellingError(f"{path} declares no op; see examples/your_own_op.py")
    except BaseException as error:
        del sys.modules[name]
        for word in OPS.keys() - before.keys():
            del OPS[word], EXAMPLES[word]
        if isinstance(error, SpellingError) or not isinstance(error, Exception):
            raise
        where = error.__traceback__
        while where and where.tb_next:
            where = where.tb_next
        line = where.tb_lineno if where else 0
        raise SpellingError(
            f"{path} can't be loaded: {type(error).__name__}: {error} (line {line})"
        ) from error
    _LOADED[name] = stamp, tuple(OPS.keys() - before.keys())
