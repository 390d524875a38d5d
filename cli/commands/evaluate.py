"""``bdfa evaluate``: test what a run has trained."""

import shutil
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import config_options, debug_option, existing_run_argument, trust_option
from bdfa_np.cli.paths import OutputPath
from bdfa_np.cli.values import DatasetName
from bdfa_np.errors import RunError

if TYPE_CHECKING:
    from bdfa_np.runs.evaluation import RunEvaluation


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa evaluate runs/dfa
  bdfa evaluate runs/dfa --split validation
  bdfa evaluate runs/dfa --best
  bdfa evaluate runs/dfa --backend cupy --device 1""",
)
@existing_run_argument
@click.option(
    "--split",
    "part",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="The data set's test images, or those that --validate held out of the training images.",
)
@click.option("--best", is_flag=True, help="Test the net of the lowest validation error, which --keep-best keeps.")
@click.option(
    "--csv",
    "csv_file",
    type=OutputPath(),
    help="Write the whole confusion matrix to a file.",
)
@click.option("--dataset", type=DatasetName(), help="Where the run's data set of your own is now, if it has moved.")
@config_options("datapath", "cache_dir", "threads", "backend", "device")
@trust_option
@debug_option
def evaluate(run: Path, part: str, best: bool, csv_file: Path | None, trust: bool, **given: Any) -> None:
    """Test a trained net: its error, by class, and its confusions.

    The net is that in the run folder RUN. All images of the part are used, also where the run itself was given a
    --test-limit. A confusion matrix that is wider than the terminal is summed up: each class's error, and which classes
    are most often taken for which.
    """
    from bdfa_np.cli.confusion import confusion_lines
    from bdfa_np.cli.display import Display
    from bdfa_np.runs.evaluation import evaluate_run
    from bdfa_np.runs.starting import fallback_notes
    from bdfa_np.runs.store.figures import confusion_csv
    from bdfa_np.system.outputs import write_output
    from bdfa_np.system.text import counted

    refuse_several(run)
    found = evaluate_run(run, part, given, Display(), best=best, trust=trust)
    confusion, config = found.confusion, found.config
    tested = counted(confusion.total, f"{part} {found.sample}")
    click.echo(f"{run} after {counted(found.epoch, 'epoch')}, on {tested} of {config.dataset}")
    click.echo(net_line(found))
    for note in fallback_notes(config):
        click.echo(note)
    click.echo(f"error {confusion.error_rate:.2%}   loss {found.loss:.4f}")
    click.echo()
    for line in confusion_lines(confusion, found.class_names, shutil.get_terminal_size().columns):
        click.echo(line)
    if csv_file is not None:
        write_output(csv_file, confusion_csv(confusion.counts.tolist(), found.class_names))


def refuse_several(run: Path) -> None:
    """List the runs in a folder that is none itself, and say how to evaluate one of them.

    Raises
    ------
    RunError
        If there are any.
    """
    from bdfa_np.runs.folder import RunFolder
    from bdfa_np.runs.listing import list_runs, listing

    if not run.is_dir() or not RunFolder(run).is_vacant:
        return
    inside = list_runs(run)
    if inside:
        click.echo(listing(inside, run))
        example = next((one for one in inside if one.history), inside[0])
        raise RunError(
            f"{run} is no run, there are runs in it: name one, as in bdfa evaluate {quote(str(example.path))}"
        )


def net_line(found: "RunEvaluation") -> str:
    """Return the line that says which of a run's nets was tested."""
    from bdfa_np.runs.lines import CHOSEN_ON_TEST
    from bdfa_np.system.text import counted

    if not found.best:
        return "net: the last one"
    chosen = f", {CHOSEN_ON_TEST}" if found.config.on_test else ""
    of = f"the lowest {found.config.tested_on} error of {counted(found.epochs, 'epoch')}"
    return f"net: the best one, of {of}{chosen}"
