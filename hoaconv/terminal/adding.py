"""The commands that add something to a store that is there."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from hoaconv.api.adding import add_labels, add_pyramid, plan_addition
from hoaconv.terminal import signals
from hoaconv.terminal.tables import show
from hoaconv.terminal.words import watcher

__all__ = ["put_commands"]


def _flag(*names: str, told: str) -> Any:
    return typer.Option(*names, help=told, rich_help_panel="Run", metavar="")


Quiet = Annotated[bool, _flag("--quiet", "-q", told="print only errors")]
DryRun = Annotated[bool, _flag("--dry-run", told="print the plan and stop")]


def put_commands(
    app: typer.Typer, command: type[Any], options_of: Callable[[Any], Callable[[Any], Any]]
) -> None:
    """Declare the commands of an app.

    Parameters
    ----------
    command
        The class of commands.
    options_of
        Returns the decorator that gives a command the options of a verb.
    """

    @app.command("add-pyramid", cls=command)
    @options_of(add_pyramid)
    def _add_pyramid(*, dry_run: DryRun = False, quiet: Quiet = False, **options: Any) -> None:
        """Add the smaller levels to an OME-Zarr image, or to a zarr array in a group."""
        _run(add_pyramid, options, dry=dry_run, quiet=quiet)

    @app.command("add-labels", cls=command)
    @options_of(add_labels)
    def _add_labels(*, dry_run: DryRun = False, quiet: Quiet = False, **options: Any) -> None:
        """Add a segmentation to an OME-Zarr image, as a label image."""
        _run(add_labels, options, dry=dry_run, quiet=quiet)


def _run(verb: Callable[..., Any], options: dict[str, Any], *, dry: bool, quiet: bool) -> None:
    if dry:
        with watcher(quiet=quiet) as watching:
            made = plan_addition(verb, options, watching)
        show(made.text())
        return
    signals.writes()
    with watcher(quiet=quiet) as watching:
        report = verb(**options, watcher=watching)
        signals.written()
    if not quiet:
        show(report)
