"""How verbs declare their options, without the weight of what they do."""

import os
from dataclasses import dataclass

__all__ = ["PathLike", "Word"]

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Word:
    """How a verb's parameter shows on the command line: help, group of options, kind of value."""

    help: str
    group: str = "Options"
    value: str = "TEXT"
