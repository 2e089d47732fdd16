"""Options of commands, made from what the verbs declare; errors become exit codes.

No option of a verb is declared here: see `hoaconv.job.options`, and the modules of outputs.
"""

import signal
import sys
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any

import typer

from hoaconv.engine import stop
from hoaconv.errors import HoaconvError, PlanError, SourceError, SpellingError, StoreError
from hoaconv.job.adding import AddedLabel, AddedLevels
from hoaconv.job.declared import Option, Options, options_of
from hoaconv.job.hdf5 import Hdf5
from hoaconv.job.n5 import N5
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.options import (
    Chain,
    Cutting,
    Labels,
    Measuring,
    Reading,
    Running,
    Turning,
    Values,
    Voxels,
)
from hoaconv.job.precomputed import Precomputed
from hoaconv.job.stack import Stack
from hoaconv.job.storage import Replacing, Storage
from hoaconv.job.zarr_output import Zarr
from hoaconv.terminal import signals
from hoaconv.terminal.words import spoken

__all__ = ["GROUPS", "OUTPUT", "options_of_verb"]

PLAN, OUTPUT = 4, 5
EXIT_CODES: tuple[tuple[type[HoaconvError], int], ...] = (
    (SpellingError, 2),
    (SourceError, 3),
    (PlanError, PLAN),
    (StoreError, OUTPUT),
)

Command = Callable[..., None]


GROUPS: dict[str, tuple[type[Options], ...]] = {
    "stack_to_omezarr": (Chain, Labels, Reading, Voxels, OmeZarr, Values, Running),
    "plan": (Chain, Labels, Reading, Voxels, OmeZarr, Values, Running),
    "omezarr_to_stack": (Chain, Reading, Voxels, Stack, Values, Running),
    "convert": (
        *(Chain, Labels, Reading, Voxels),
        *(Hdf5, Zarr, Precomputed, N5, Stack, OmeZarr),  # the help of the last one is shown
        *(Values, Running),
    ),
    "transpose": (Turning, Reading, Voxels, OmeZarr, Running),
    "cutout": (Cutting, Reading, Voxels, OmeZarr, Running),
    "add_pyramid": (AddedLevels, Running),
    "add_labels": (Chain, Reading, AddedLabel, Values, Running),
    "rechunk": (Storage, Running),
    "pack": (Replacing,),
    "stats": (Chain, Reading, Measuring),
    "info": (Reading,),
    "list_ops": (Chain,),
}
"""The groups of options that a verb takes; those that its signature lacks are left out."""

ARGUMENTS = {
    "src": "folder of slices, quoted glob, or a file or store of a format that hoaconv reads "
    "(docs/formats.md), or its URL",
    "dst": "the OME-Zarr to make, such as brain.zarr",
    "omezarr_to_stack dst": "folder of slices to make, or a file ending in .tif or .ome.tif",
    "convert dst": "image.zarr, image.n5, file.tif or file.h5 to make, a folder of slices, "
    "zarr://PATH or precomputed://PATH",
    "transpose dst": "image.zarr or file.tif to make, or a folder of slices",
    "cutout dst": "image.zarr, file.tif, file.h5 or file.npy to make, or a folder of slices",
    "box": "z0:z1,y0:y1,x0:x1 in voxels, or in lengths, as in 2mm:3mm,0.5mm:,:",
    "store": "OME-Zarr image to add to",
    "add_pyramid store": "OME-Zarr image, or a zarr array in a group",
    "pack store": "OME-Zarr of version 0.5, a folder",
    "pack dst": "the file to make, ending in .ozx",
    "rechunk src": "OME-Zarr image, zarr array or other zarr store",
    "rechunk dst": "the store to make, such as b.zarr",
    "name": "op to explain; default all, a line each",
    "folder": "folder to make the demo in",
    "path": "store, array, file or stack of slices; or a folder of stores",
}
"""Help of positional parameters: by their names, or by a verb and the name."""
BESIDE = "the OME-Zarr that would be made; default beside SRC"
OWN = {"overwrite": "replace what an earlier demo has made"}
"""Help of the demo's own option."""


def options_of_verb(verb: Callable[..., Any]) -> Callable[[Command], Command]:
    """Put the verb's parameters before the command's own, and turn errors to exit codes."""
    known = {
        name: option
        for group in GROUPS.get(verb.__name__, ())
        for name, option in options_of(group).items()
    }
    declared = [
        _argument(parameter, verb.__name__)
        if parameter.kind is Parameter.POSITIONAL_OR_KEYWORD
        else _option(parameter, known.get(parameter.name))
        for parameter in signature(verb).parameters.values()
        if parameter.name != "watcher"
    ]

    def take(command: Command) -> Command:
        @wraps(command)
        def call(**options: Any) -> None:
            try:
                command(**options)
            except HoaconvError as error:
                code = next(code for kind, code in EXIT_CODES if isinstance(error, kind))
                _fail("\n".join([str(error), *getattr(error, "__notes__", ())]), code)
            except KeyboardInterrupt as error:
                notes = getattr(error, "__notes__", ())
                number = signal.Signals(stop.asked() or signal.SIGINT)
                _fail("; ".join([signals.WORDS[number], *notes]), 128 + number)
            except MemoryError:
                _fail("memory has run out; lower --budget, or raise the limit (ulimit -v)", PLAN)
            except RuntimeError as error:
                if "start new thread" not in str(error):
                    raise
                _fail("no more threads can be started; raise ulimit -u, or lower --workers", PLAN)
            except OSError as error:
                what = error.filename or "the system refuses what hoaconv needs"
                _fail(f"{what}: {error.strerror or error}", OUTPUT)

        own = signature(command).parameters.values()
        parameters = [*declared, *(p for p in own if p.kind is not Parameter.VAR_KEYWORD)]
        call.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {p.name: p.annotation for p in parameters}
        return call

    return take


def _argument(parameter: Parameter, verb: str) -> Parameter:
    """Return a verb's positional parameter as typer takes it."""
    name, default = parameter.name, parameter.default
    own = ARGUMENTS.get(f"{verb} {name}", ARGUMENTS[name])
    help = BESIDE if (name, default) == ("dst", None) else own
    argument = typer.Argument(help=help, metavar=name.upper(), show_default=bool(default))
    kind = str if default is Parameter.empty else str | None
    return Parameter(
        name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, argument]
    )


def _option(parameter: Parameter, declared: Option | None) -> Parameter:
    """Return a verb's option as typer takes it, from its declaration."""
    default, flag = parameter.default, isinstance(parameter.default, bool)
    option = typer.Option(
        f"--{parameter.name.replace('_', '-')}",
        help=spoken(declared.help) if declared else OWN[parameter.name],
        rich_help_panel=declared.group if declared else "Run",
        metavar="" if flag or not declared else declared.value,
        show_default=bool(default),
    )
    if flag:
        return parameter.replace(annotation=Annotated[bool, option])
    if isinstance(default, tuple):
        return parameter.replace(annotation=Annotated[list[str], option], default=list(default))
    number = declared is not None and declared.value == "N"
    annotation = Annotated[int | None, option] if number else Annotated[str | None, option]
    return parameter.replace(annotation=annotation)


def _fail(message: str, code: int) -> None:
    print(f"hoaconv: {spoken(message)}", file=sys.stderr)
    raise typer.Exit(code)
