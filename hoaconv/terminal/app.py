"""The commands: options become a verb's parameters, errors become exit codes.

No option of a verb is declared here: see `hoaconv.job.options`.
"""

import atexit
import gc
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from hoaconv import __version__, api
from hoaconv.api.stores import pack
from hoaconv.engine import machine, stop
from hoaconv.errors import SpellingError
from hoaconv.job.watching import PlanShown
from hoaconv.terminal import adding, demo, signals, streams
from hoaconv.terminal.tables import as_csv_of, show, show_json, show_next_steps, show_ops
from hoaconv.terminal.verbs import OUTPUT, options_of_verb
from hoaconv.terminal.versions import versions
from hoaconv.terminal.words import watcher
from hoaconv.units import did_you_mean

__all__ = ["main"]

TODAY = {
    "view": "a viewer: see docs/quickstart.md, 'Open the result'",
    "versions": "--version",
    "statistics": "stats",
    "histogram": "stats --plot histogram.png",
}
"""Commands that people look for, and what does that job today."""


def _plain(flag: Any) -> Any:
    if flag is not None:
        flag.metavar = ""
    return flag


class _Group(TyperGroup):
    """The commands; one that isn't there is answered with what does its job."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return typer's help option, shown without a value."""
        return _plain(super().get_help_option(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; answer words that people look for."""
        if args and args[0] in TODAY and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"there is no command {args[0]!r} yet; use {TODAY[args[0]]}")
        if args and self.get_command(ctx, args[0]) is None:
            near = did_you_mean(args[0], [*self.list_commands(ctx), *TODAY])
            ctx.fail(f"there is no command {args[0]!r}{near}; 'hoaconv -h' lists them")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="hoaconv",
    help="Convert slice stacks to OME-Zarr pyramids and back in one sweep, under a memory budget.",
    epilog="Exit codes: 0 done, 1 a fault of hoaconv, 2 an option that isn't understood, "
    "3 the source, 4 the plan or the memory budget, 5 the output, 129 terminal closed (HUP), "
    "130 interrupted (INT), 143 terminated (TERM).",
    no_args_is_help=True,
    add_completion=False,
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


VALUES = {"true", "false", "yes", "no", "on", "off", "0", "1"}
NO_VALUE = (
    "an option such as --overwrite or --quiet takes no value; write it alone, or leave it out"
)


class _Command(TyperCommand):
    """A command that knows a pattern which the shell has already replaced by names."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return typer's help option, shown without a value."""
        return _plain(super().get_help_option(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; names beyond those that the command takes get a message of their own."""
        ctx.allow_extra_args = True
        flags = {w for option in self.params if option.metavar == "" for w in option.opts}
        for word in args[: args.index("--")] if "--" in args else args:
            if word.partition("=")[0] in flags and "=" in word:
                ctx.fail(f"{word!r} isn't understood: {NO_VALUE}")
        rest = super().parse_args(ctx, args)
        if {word.lower() for word in ctx.args} & VALUES:
            ctx.fail(f"{ctx.args[0]!r} isn't expected: {NO_VALUE}")
        if ctx.args and not ctx.resilient_parsing:
            ctx.fail(
                f"{len(ctx.args)} more names than the command takes, {ctx.args[0]} the first: if "
                "the shell replaced a pattern by the slices' names, quote the pattern, as in "
                "'slices/*.jp2', or name the folder"
            )
        return rest


def _flag(*names: str, told: str, group: str | None = "Run") -> Any:
    """Declare an option without a value; typer would show ``<bool>``, which reads like one."""
    return typer.Option(*names, help=told, rich_help_panel=group, metavar="")


DryRun = Annotated[bool, _flag("--dry-run", told="print the plan and stop")]
Quiet = Annotated[bool, _flag("--quiet", "-q", told="print only errors")]
Silent = Annotated[bool, _flag("--quiet", "-q", told="print only the table and errors")]
Verbose = Annotated[bool, _flag("--verbose", "-v", told="print the plan first, stage by stage")]
Whole = Annotated[
    bool, _flag("--verbose", "-v", told="print all stages, and who holds how much memory")
]
AsCsv = Annotated[bool, _flag("--csv", told="print a table of a folder as CSV", group=None)]
AsJson = Annotated[bool, _flag("--json", told="print JSON, for machines", group=None)]

Verb = Callable[..., Any]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hoaconv {__version__}")
        for name, told in versions():
            print(f"  {name:<12} {told}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            help="print the version",
            callback=_print_version,
            is_eager=True,
            metavar="",
        ),
    ] = False,
) -> None:
    """Take what stands before the command."""


@app.command("stack-to-omezarr", cls=_Command)
@options_of_verb(api.stack_to_omezarr)
def _stack_to_omezarr(
    *, dry_run: DryRun = False, quiet: Quiet = False, verbose: Verbose = False, **options: Any
) -> None:
    """Convert a stack of JP2 or TIFF slices to an OME-Zarr pyramid."""
    if dry_run:
        _check_dry(options)
        _show_plan(options, quiet=quiet, whole=verbose)
    else:
        _run(api.stack_to_omezarr, options, quiet=quiet, verbose=verbose)


@app.command("omezarr-to-stack", cls=_Command)
@options_of_verb(api.omezarr_to_stack)
def _omezarr_to_stack(
    *, dry_run: DryRun = False, quiet: Quiet = False, verbose: Verbose = False, **options: Any
) -> None:
    """Convert an OME-Zarr image to a stack of TIFF, JP2 or PNG slices, or to one TIFF file."""
    if dry_run:
        _check_dry(options)
        with watcher(quiet=quiet) as watching:
            made = api.plan_stack(options, watching)
        show(made.text(whole=verbose))
    else:
        _run(api.omezarr_to_stack, options, quiet=quiet, verbose=verbose)


def _check_dry(options: Mapping[str, Any]) -> None:
    """Refuse a report of a run that isn't made."""
    if options["report"]:
        raise SpellingError("--report tells of a run, and --dry-run makes none; drop one of them")


def _run(verb: Verb, options: Mapping[str, Any], *, quiet: bool, verbose: bool) -> None:
    """Run a verb that writes, and show its report."""
    signals.writes()
    with watcher(quiet=quiet, planned=_planned(verbose)) as watching:
        report = verb(**options, watcher=watching)
        signals.written()
    if not quiet:
        show(report)


@app.command("plan", cls=_Command)
@options_of_verb(api.plan)
def _plan(
    *, as_json: AsJson = False, quiet: Silent = False, verbose: Whole = False, **options: Any
) -> None:
    """Print how a conversion would go, and what memory and time it would take."""
    _show_plan(options, quiet=quiet or as_json, whole=verbose, as_json=as_json)


def _show_plan(
    options: Mapping[str, Any], *, quiet: bool, whole: bool, as_json: bool = False
) -> None:
    with watcher(quiet=quiet) as watching:
        made = api.plan(**options, watcher=watching)
    if as_json:
        show_json(made.describe())
    else:
        show(made.text(whole=whole))


@app.command("rechunk", cls=_Command)
@options_of_verb(api.rechunk)
def _rechunk(*, quiet: Quiet = False, **options: Any) -> None:
    """Write a zarr store anew with other chunks, shards, codecs or zarr format."""
    signals.writes()
    with watcher(quiet=quiet) as watching:
        made = api.rechunk(**options, watcher=watching)
        signals.written()
    if not quiet:
        show(made)


@app.command("pack", cls=_Command)
@options_of_verb(pack)
def _pack(*, quiet: Quiet = False, **options: Any) -> None:
    """Pack an OME-Zarr into one .ozx file."""
    _run(pack, options, quiet=quiet, verbose=False)


@app.command("stats", cls=_Command)
@options_of_verb(api.stats)
def _stats(
    *, as_json: AsJson = False, quiet: Silent = False, verbose: Verbose = False, **options: Any
) -> None:
    """Measure a volume: range, mean, percentiles, histogram. Nothing is written."""
    with watcher(quiet=quiet or as_json, planned=_planned(verbose)) as watching:
        made = api.stats(**options, watcher=watching)
    if as_json:
        show_json(made.describe())
    else:
        show(made)


@app.command("cutout", cls=_Command)
@options_of_verb(api.cutout)
def _cutout(*, quiet: Quiet = False, verbose: Verbose = False, **options: Any) -> None:
    """Write a box of a volume; only what it touches is read."""
    _run(api.cutout, options, quiet=quiet, verbose=verbose)


@app.command("transpose", cls=_Command)
@options_of_verb(api.transpose)
def _transpose(*, quiet: Quiet = False, verbose: Verbose = False, **options: Any) -> None:
    """Write a volume with its axes in another order."""
    _run(api.transpose, options, quiet=quiet, verbose=verbose)


@app.command("convert", cls=_Command)
@options_of_verb(api.convert)
def _convert(*, quiet: Quiet = False, verbose: Verbose = False, **options: Any) -> None:
    """Convert a volume to what the name of DST says: an OME-Zarr image, slices, a file."""
    _run(api.convert, options, quiet=quiet, verbose=verbose)


@app.command("info", cls=_Command)
@options_of_verb(api.info)
def _info(*, as_json: AsJson = False, as_csv: AsCsv = False, **options: Any) -> None:
    """Tell how a volume is stored: shape, chunks, levels, voxel size, files, advice."""
    if as_json and as_csv:
        raise SpellingError("--json and --csv are two forms of one table; take one of them")
    found = api.info(**options)
    if as_json:
        show_json(found.describe())
    else:
        show(as_csv_of(found) if as_csv else found)


@app.command("ops", cls=_Command)
@options_of_verb(api.list_ops)
def _ops(**options: Any) -> None:
    """List the ops, or explain one."""
    found = api.list_ops(**options)
    stop.raise_if_asked()  # a signal may have come while the ops were loaded
    show_ops(found)


@app.command("demo", cls=_Command)
@options_of_verb(demo.demo)
def _demo(*, quiet: Quiet = False, **options: Any) -> None:
    """Make a phantom JP2 stack, convert it, and show what came out."""
    signals.writes()
    with watcher(quiet=quiet) as watching:
        made = demo.demo(**options, watcher=watching)
        signals.written()
    if not quiet:
        show(made)
        show_next_steps(made.source, made.output)


adding.put_commands(app, _Command, options_of_verb)


def _planned(verbose: bool) -> Callable[[PlanShown], None] | None:
    """Return the function that shows the plan before a run, where that is wanted."""
    return (lambda plan: show(plan.text())) if verbose else None


def main() -> None:
    """Run the command line; a batch system's SIGTERM ends a run as tidily as Ctrl-C."""
    machine.tune_malloc()  # before any thread begins: the listener would have its own
    signals.listen()
    streams.spare()
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        text = "hoaconv: NUMBA_DISABLE_JIT is set, and hoaconv needs compiled kernels; unset it"
        print(text, file=sys.stderr)
        sys.exit(2)
    # Python's last garbage collection walks through all that numba has made: 0.3 s for nothing.
    atexit.register(gc.freeze)
    try:
        app()
    except SystemExit as end:
        code = _code(end.code)
        _leave_readers_behind(code)
        sys.exit(code)
    finally:
        signals.ignore()  # a complete run doesn't become a killed one while the interpreter ends


def _code(code: Any) -> Any:
    """Return the exit code: that of an output where stdout can't take what was to be told."""
    error = streams.lost()
    if error is None or code:
        return code
    words = f"what was to be printed can't be: {error.strerror}{signals.fate()}"
    print(f"hoaconv: {words}", file=sys.stderr)
    return OUTPUT


def _leave_readers_behind(code: object) -> None:
    """End now where a thread still reads from a disk that doesn't answer: nobody waits for it."""
    stuck = [t for t in threading.enumerate() if t.name.startswith("hoaconv-") and t.is_alive()]
    if stuck and isinstance(code, int) and code:
        os._exit(code)
