"""Tables of the command line, on stdout."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.job.tables import new_table, rendered
from hoaconv.terminal.words import spoken

__all__ = ["as_csv_of", "show", "show_json", "show_next_steps", "show_ops"]


def show(text: object) -> None:
    """Print a text."""
    if sys.stdout is not None:  # None where who started us has closed it
        sys.stdout.write(f"{spoken(str(text))}\n")


def show_json(value: object) -> None:
    """Print a value for machines."""
    print(json.dumps(spoken(value), indent=2))


def as_csv_of(found: Any) -> str:
    """Return what `hoaconv.info` has found as CSV: a row for each store."""
    if not hasattr(found, "to_csv"):
        raise SpellingError("--csv is for a folder of stores; a single volume has --json")
    return str(found.to_csv()).rstrip("\n")


def show_ops(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a line an op; with its parameters where only one is shown."""
    table = new_table("", "op", "what it does", "example")
    for word, row in rows.items():
        table.add_row(word, row["summary"], row["example"])
    show(rendered(table))
    if len(rows) != 1:
        return
    (only,) = rows.values()
    if only["explanation"]:
        show(rendered("", only["explanation"]))
    parameters = new_table(f"\n{only['usage']}", "parameter", "takes", "default", "meaning")
    for parameter in only["parameters"]:
        cells = {key: str(parameter[key]) for key in ("name", "kind", "default", "help")}
        parameters.add_row(*{**cells, "kind": cells["kind"].replace("|", " | ")}.values())
    show(rendered(parameters))


def show_next_steps(source: str, output: str) -> None:
    """Print commands to try on what the demo has made."""
    made, hoaconv = output.removesuffix(".zarr"), _program()
    show(
        rendered(
            "\nNext, try:",
            f"  {hoaconv} stack-to-omezarr {source} {made}-mask.zarr "
            '--ops "gaussian 1.5 | threshold 20000" --downsample mode',
            f"  {hoaconv} stack-to-omezarr {source} {made}-0.4.zarr --ngff 0.4 --dry-run",
            f"  {hoaconv} ops",
            f"  {hoaconv} stack-to-omezarr --help",
        )
    )


def _program() -> str:
    """Return how this program was started, so that a printed command works as it stands."""
    started = Path(sys.argv[0])
    if not started.name.startswith("hoaconv"):  # by python -m
        return f"{shlex.quote(sys.executable)} -m hoaconv"
    found = shutil.which("hoaconv")
    if found and os.path.exists(started) and os.path.samefile(found, started):
        return "hoaconv"
    return shlex.quote(sys.argv[0])
