"""``bdfa watch``: a run while it trains."""

import os
import sys
from pathlib import Path

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option, existing_run_argument
from bdfa_np.errors import ConfigError
from bdfa_np.system.streams import is_terminal


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa watch runs/dfa
  bdfa watch runs/dfa --once
  bdfa watch runs/dfa --page
  bdfa watch runs/dfa --page --port 8000 --no-browser""",
)
@existing_run_argument
@click.option("--once", is_flag=True, help="Draw one picture and end, as where standard output is no terminal.")
@click.option("--page", is_flag=True, help="Show the run on a page of a browser, that of this machine alone.")
@click.option("--port", type=click.IntRange(1, 65535), help="Of the page; a free one where it is not given.")
@click.option("--no-browser", is_flag=True, help="Print the page's address, and open no browser.")
@debug_option
def watch(run: Path, once: bool, page: bool, port: int | None, no_browser: bool) -> None:
    """Watch a run while another process trains it.

    Of the run in the folder RUN it shows errors, angles by layer and the time left. The picture is drawn anew whenever
    the run has done an epoch. Watching ends with the run, or with Ctrl-C, which the run does not feel; the last picture
    stays. Angles are there where the run was begun with --track.
    """
    from bdfa_np.runs.listing.watching import Watch, check_is_one
    from bdfa_np.system.interrupts import terminate_like_interrupt

    if page and once:
        raise ConfigError("--page and --once exclude each other: the page goes on with the run")
    if not page and (port is not None or no_browser):
        raise ConfigError(f"{'--port' if port is not None else '--no-browser'} is for the page: add --page")
    check_is_one(run)
    with terminate_like_interrupt():
        if page:
            from bdfa_np.cli.watching.server import serve
            from bdfa_np.figures import style

            style.check_drawing()
            serve(Watch(run), click.echo, port=port or 0, browser=not no_browser and has_browser())
        else:
            from rich.console import Console

            from bdfa_np.cli.watching.chart import check_drawing
            from bdfa_np.cli.watching.terminal import show

            check_drawing()
            # A notebook's cell has a terminal for its commands, which shows every redrawing as lines of its own.
            in_cell = "JPY_PARENT_PID" in os.environ
            show(Watch(run), Console(highlight=False, emoji=False), once=once or in_cell)


def has_browser() -> bool:
    """Return whether there is a screen for a browser's window, and somebody before it."""
    screen = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    return screen and is_terminal(sys.stdout)
