"""``bdfa diagnose``: what a trained net is like layer by layer, held against nets trained alike."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bdfa_np.cli.options import config_options, debug_option, existing_run_argument, trust_option
from bdfa_np.cli.repeatable import Repeatable, as_typed
from bdfa_np.cli.values import DatasetName
from bdfa_np.system.streams import ReaderGone

if TYPE_CHECKING:
    from bdfa_np.controls.training import Workshop

WIDEST = 100
"""Columns that the text fills, however wide the terminal is."""
FEW_SECONDS = 5.0
"""What is estimated to take less is a few seconds: its start, which takes some, is not estimated."""


@click.command(
    cls=Repeatable,
    epilog="""\b
Examples:
  bdfa diagnose runs/dfa
  bdfa diagnose runs/dfa --controls bp,frozen
  bdfa diagnose runs/dfa --no-controls
  bdfa compare runs/dfa runs/dfa/controls/*

After an interrupt the same command goes on: controls that are finished are
not trained again, and others go on from their last whole epoch.""",
)
@existing_run_argument
@click.option(
    "--controls",
    default="all",
    show_default=True,
    metavar="NAMES",
    help="Nets to hold the run against, with commas between: bp (exact gradients), frozen (the output layer learns "
    "alone), linear (no hidden layer), shallow (one); or all, or none.",
)
@click.option("--no-controls", is_flag=True, help="The numbers of this net alone; the same as --controls none.")
@click.option("--best", is_flag=True, help="Look at the net of the lowest validation error, which --keep-best keeps.")
@click.option(
    "--split",
    "part",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="On which images errors are compared.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, errors as fractions.")
@click.option("--dataset", type=DatasetName(), help="Where the run's data set of your own is now, if it has moved.")
@config_options("datapath", "cache_dir", "threads", "backend", "device")
@trust_option
@debug_option
@click.pass_context
def diagnose(
    ctx: click.Context,
    /,
    run: Path,
    controls: str,
    no_controls: bool,
    best: bool,
    part: str,
    as_json: bool,
    trust: bool,
    **given: Any,
) -> None:
    """Measure a trained net layer by layer, and judge it.

    The net in the run folder RUN is held against others, its controls. They are trained as the run was, with its seed,
    data and epochs, in run folders under RUN/controls; what they take is said before. From them follows how much of the
    gain of exact gradients the rule recovers, (rule - frozen) / (bp - frozen) in accuracy, and whether depth is used;
    from the net alone, whether its scale is stable and its exact gradient large enough for angles to mean anything.
    """
    from bdfa_np.cli.display import Display
    from bdfa_np.cli.study_display import display
    from bdfa_np.controls.diagnose import diagnose_run
    from bdfa_np.study.lines import Lines
    from bdfa_np.system.interrupts import terminate_like_interrupt

    title = f"controls of {run}"
    shown = Lines(title, "error", _to_standard_error, Display().note) if as_json else display(title, "error")
    try:
        with terminate_like_interrupt():
            found = diagnose_run(
                run,
                controls="none" if no_controls else controls,
                best=best,
                part=part,
                changes=given,
                trust=trust,
                listener=Display(),
                watcher=shown,
                announced=lambda workshop: announce(workshop, _to_standard_error if as_json else click.echo),
            )
    except (KeyboardInterrupt, ReaderGone) as end:
        kind = ReaderGone if isinstance(end, ReaderGone) else KeyboardInterrupt
        done = f"{shown.said()}; " if shown.runs else ""
        raise kind(f"{done}go on with: {as_typed(ctx)}") from None
    finally:
        shown.ends_showing()
    if as_json:
        import json

        click.echo(json.dumps(found.to_mapping(), indent=2, ensure_ascii=False))
        return
    if shown.runs:
        click.echo()
    click.echo(found.text(min(shutil.get_terminal_size().columns, WIDEST)))


def announce(workshop: "Workshop", write: Callable[[str], None]) -> None:
    """Say which controls are to be trained, and how long that takes about; nothing where all are there."""
    from bdfa_np.study.estimate import Estimates
    from bdfa_np.system.text import counted, duration
    from bdfa_np.tables import Table

    estimates, rows, total = Estimates(), [], 0.0
    for control in workshop.controls:
        done, epochs = workshop.epochs_done(control), control.config.epochs
        if done is None:
            continue
        seconds = estimates.seconds_of(workshop.planned[control.name]) * (1 - done / epochs)
        total += seconds
        state = f"after {done} of {counted(epochs, 'epoch')}" if done else counted(epochs, "epoch")
        takes = "a few seconds" if seconds < FEW_SECONDS else duration(seconds)
        rows.append([control.name, control.summary, state, takes])
    if rows:
        title = f"to be trained as the run was, in {workshop.folder}:"
        write(Table(["control", "what it is", "has to do", "takes"], rows, title, right=("takes",)).to_text())
        takes = "a few seconds each" if total < FEW_SECONDS * len(rows) else f"about {duration(total)} in all"
        write(f"{takes}; --no-controls: the numbers of this net alone")
        write("")


def _to_standard_error(text: str) -> None:
    click.echo(text, err=True)
