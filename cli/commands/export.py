"""``bdfa export``: what a run has trained, for other programs."""

from pathlib import Path

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option, existing_run_argument, trust_option
from bdfa_np.cli.paths import OutputPath

FORMATS = ("onnx", "torch", "npz")


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa export runs/dfa --to onnx
  bdfa export runs/dfa --to torch -o digits.pt
  bdfa export runs/dfa --to npz --best
What to do with the files: docs/export.md.""",
)
@existing_run_argument
@click.option(
    "--to",
    type=click.Choice(FORMATS),
    required=True,
    help="onnx: a graph for onnxruntime and others; torch: Python code of a PyTorch module, and its state; "
    "npz: plain arrays.",
)
@click.option(
    "-o",
    "--output",
    type=OutputPath(),
    help="The file. [default: net.onnx, net.pt or net.npz in the run folder; best.* with --best]",
)
@click.option("--best", is_flag=True, help="The net of the lowest validation error, which --keep-best keeps.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@trust_option
@debug_option
def export(run: Path, to: str, output: Path | None, best: bool, force: bool, trust: bool) -> None:
    """Write a trained net for another program.

    It is the net in the run folder RUN, its preprocessing included. Samples go in as they lie in files, at the size
    that the net takes; logits come out, and probabilities (ce) or scores (bce). For onnx and torch the extra of that
    name is needed.
    """
    from bdfa_np.cli.display import Display
    from bdfa_np.export import SUFFIXES, export_model
    from bdfa_np.runs.loading import load_model

    model = load_model(run, best=best, backend="numpy", trust=trust, note=Display().note)
    written = export_model(model, output or run / f"{'best' if best else 'net'}{SUFFIXES[to]}", to=to, force=force)
    for file in written.files:
        click.echo(file)
    click.echo(written.interface)
    preprocessing = model.preprocessing
    if preprocessing is None:
        click.echo("note: this run has no preprocessing.h5, which one more --resume adds: prepared samples go in")
    elif preprocessing.resize is not None:
        click.echo("note: images were scaled to that size when they were read, which is not part of the file")
