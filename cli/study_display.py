"""What a person sees while a study's runs are carried out: on a terminal a table of its cells, else a line a run."""


import click

from bdfa_np.study.lines import Lines


def display(title: str, measure: str) -> Lines:
    """Return what shows how far a study is, on this standard output."""
    return Lines(title, measure, click.echo, _note)


def _note(text: str) -> None:
    click.echo(f"note: {text}", err=True)
