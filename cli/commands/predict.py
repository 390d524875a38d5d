"""``bdfa predict``: what a trained net says of pictures, of arrays, or of a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import config_options, debug_option, existing_run_argument, trust_option
from bdfa_np.cli.paths import InputPath, OutputPath
from bdfa_np.cli.values import DatasetName

if TYPE_CHECKING:
    from bdfa_np.runs.prediction import RunPredictions

MOST_LINES = 50
"""Samples that are listed on a terminal; a file gets all of them."""


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa predict runs/digits three.png seven.jpg
  bdfa predict runs/digits scans/ --invert --top 3
  bdfa predict runs/a --dataset mnist --worst --csv all.csv --png worst.png""",
)
@existing_run_argument
@click.argument("files", nargs=-1, type=InputPath())
@click.option("--dataset", type=DatasetName(), help="Predict a data set's samples in place of files.")
@click.option(
    "--split",
    "part",
    type=click.Choice(["test", "train"]),
    default="test",
    show_default=True,
    help="Which of the data set's samples.",
)
@click.option("--top", type=click.IntRange(min=1), default=1, show_default=True, help="Name the K likeliest classes.")
@click.option("--invert", is_flag=True, help="Exchange light and dark: for dark ink on white paper.")
@click.option("--worst", is_flag=True, help="Begin with the samples whose own class got the least.")
@click.option("--best", is_flag=True, help="Use the net of the lowest validation error, which --keep-best keeps.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
@click.option("--csv", "csv_file", type=OutputPath(), help="Write a row a sample.")
@click.option("--png", "png_file", type=OutputPath(), help="Draw the first 50 samples.")
@config_options("datapath", "threads", "backend", "device")
@trust_option
@debug_option
def predict(
    run: Path,
    files: tuple[Path, ...],
    dataset: str | None,
    part: str,
    top: int,
    invert: bool,
    worst: bool,
    best: bool,
    as_json: bool,
    csv_file: Path | None,
    png_file: Path | None,
    trust: bool,
    **given: Any,
) -> None:
    """Say what FILES are, with the net in the run folder RUN.

    A file is a picture, a folder of pictures, or an .npz file with an array x of samples, their values as they were in
    the training files. Under --criterion ce a class has a probability, else a score from 0 to 1, which need not sum
    to 1.
    """
    from bdfa_np.cli.display import Display
    from bdfa_np.runs.prediction import predict_run
    from bdfa_np.system.outputs import write_output

    found = predict_run(
        run, files, dataset=dataset, part=part, invert=invert, best=best, trust=trust, changes=given, listener=Display()
    )
    if worst:
        found = found.worst_first()
    if csv_file is not None:
        write_output(csv_file, as_csv(found, top))
    if png_file is not None:
        draw(found, png_file)
    if as_json:
        import json

        click.echo(json.dumps(entries(found, top), indent=2, ensure_ascii=False))
        return
    for line in lines(found, top):
        click.echo(line)
    for path in filter(None, (csv_file, png_file)):
        click.echo(f"written: {path}")


def entries(found: "RunPredictions", top: int) -> list[dict[str, Any]]:
    """Return what is said of each sample, by name."""
    kind, names = found.predictions.kind, found.predictions.class_names
    labels = found.samples.labels
    result = []
    for index, (sample, likely) in enumerate(zip(found.samples.names, found.predictions.top(top), strict=True)):
        entry: dict[str, Any] = {"sample": sample, "class": likely[0][0], kind: likely[0][1]}
        if labels is not None:
            true = int(labels[index])
            entry |= {"true": names[true], f"true_{kind}": float(found.predictions.outputs[index, true])}
        if top > 1:
            entry["top"] = [{"class": name, kind: value} for name, value in likely]
        result.append(entry)
    return result


def as_csv(found: "RunPredictions", top: int) -> str:
    """Return a row a sample; of further likely classes, a pair of columns each."""
    import csv
    import io

    text = io.StringIO()
    rows = []
    for entry in entries(found, top):
        row = {name: value for name, value in entry.items() if name != "top"}
        for place, pair in enumerate(entry.get("top", [])[1:], start=2):
            row |= {f"{name}_{place}": value for name, value in pair.items()}
        rows.append(row)
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def lines(found: "RunPredictions", top: int) -> list[str]:
    """Return what a terminal shows: a row a sample, and how many are right where that is known."""
    from bdfa_np.system.text import counted
    from bdfa_np.tables import Table

    kind, rows = found.predictions.kind, []
    for entry in entries(found, top)[:MOST_LINES]:
        others = ", ".join(f"{pair['class']} {pair[kind]:.3f}" for pair in entry.get("top", [])[1:])
        true = [entry["true"], "" if entry["true"] == entry["class"] else "wrong"] if "true" in entry else []
        rows.append([entry["sample"], entry["class"], f"{entry[kind]:.3f}", *([others] if top > 1 else []), *true])
    headings = ["sample", "class", kind, *(["then"] if top > 1 else [])]
    headings += ["true", ""] if found.wrong is not None else []
    result = Table(headings, rows, right=(kind,)).to_text().splitlines()
    count = len(found.predictions)
    if count > MOST_LINES:
        result.append(f"and {count - MOST_LINES:,} more: --csv FILE and --json give all")
    if found.wrong is not None:
        result.append(f"error {found.wrong.mean():.2%} of {counted(count, 'sample')}")
    return result


def draw(found: "RunPredictions", path: Path) -> None:
    """Draw the first samples with what they were taken for."""
    from bdfa_np.data.lettering import REPLACED, legible
    from bdfa_np.data.pictures import captioned, save

    shown, replaced = legible(found.predictions.class_names)
    names = dict(zip(found.predictions.class_names, shown, strict=True))
    titles = [
        f"{names[entry['class']]} {entry[found.predictions.kind]:.2f}"
        + (f" ({names[entry['true']]})" if "true" in entry else "")
        for entry in entries(found, 1)[:MOST_LINES]
    ]
    save(captioned(found.samples.raw[:MOST_LINES], titles, note=REPLACED if replaced else ""), path)
