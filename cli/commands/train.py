"""``bdfa train``: train a net, or go on with a run."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from bdfa_np.cli.options import Command, config_options, debug_option, given_options, rule_option, torch_aliases
from bdfa_np.errors import ConfigError


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa train --dataset mnist-5k --epochs 10
  bdfa train --gradient dfa --lr 1e-3 --epochs 5 --save runs/dfa
  bdfa train --save runs/dfa --resume --epochs 10
  bdfa train -dataset MNIST -network mlp.lua -LR 1e-4 -epoch 1    (as the Torch program was called)
\b
Exit codes: 0 done, 2 an error you can mend, 130 interrupted (go on with --resume).""",
)
@config_options()
@rule_option
@torch_aliases
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Options from a TOML file, such as a run's config.toml; those of the command line go before.",
)
@click.option(
    "--load",
    "-load",
    type=click.Path(path_type=Path),
    help="Start from the weights of a run folder or of a checkpoint.h5.",
)
@click.option("--dry-run", is_flag=True, help="Show every option with its source and the net's layers; train nothing.")
@click.option(
    "--save",
    "-save",
    type=click.Path(path_type=Path),
    help="Run folder.  [default: a time stamp under runs/]",
)
@click.option("--resume", is_flag=True, help="Go on with the run in --save, with its own options.")
@click.option("--force", is_flag=True, help="Replace the run in --save.")
@debug_option
@click.pass_context
def train(
    ctx: click.Context,
    /,
    save: Path | None,
    load: Path | None,
    config_file: Path | None,
    resume: bool,
    force: bool,
    dry_run: bool,
    own: tuple[str, ...],
    **_options: Any,
) -> None:
    """Train a net and write a run folder.

    Options have the Torch program's meaning, defaults and, with a single dash, spelling.
    """
    if resume and force:
        raise ConfigError("--resume and --force exclude each other: go on with the run, or replace it")
    given = given_options(ctx)
    if resume and (load or config_file or dry_run):
        raise ConfigError(
            "--resume goes on with a run's own options and weights: leave out --load, --config, --dry-run"
        )
    if resume and save is None:
        raise ConfigError("--resume needs --save RUN, the run to go on with")
    from bdfa_np.options.precedence import choose

    if dry_run:
        from bdfa_np.cli.dry_run import show

        show(choose(given, config_file, own), load)
        return
    from bdfa_np.cli.display import Display
    from bdfa_np.runs.session import resume_run, start_run
    from bdfa_np.system.interrupts import terminate_like_interrupt

    with terminate_like_interrupt():
        if resume and save is not None:
            resume_run(save, given, rule_options=own, listener=Display())
            return
        chosen = choose(given, config_file, own)
        notes = list(chosen.notes)
        if given.get("gradient") == "dfa":
            notes.append("note: dfa keeps its feedback fixed; what the Torch program calls dfa is --gradient bdfa")
        start_run(chosen.config, save or default_folder(), load=load, force=force, notes=notes, listener=Display())


def default_folder() -> Path:
    """Return a folder under ``runs/`` named by the time, which is not there yet."""
    stamp = Path("runs") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    candidates = [stamp, *(stamp.with_name(f"{stamp.name}_{number}") for number in range(2, 1000))]
    return next(path for path in candidates if not path.exists())
