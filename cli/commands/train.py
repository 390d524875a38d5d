"""``bdfa train``: train a net, or go on with a run."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from bdfa_np.cli.options import config_options, debug_option, given_options, rule_option, torch_aliases, trust_option
from bdfa_np.cli.outcome import INTERRUPTED, READER_GONE
from bdfa_np.cli.paths import FolderPath, InputPath, WeightsPath
from bdfa_np.cli.repeatable import Repeatable, typed
from bdfa_np.errors import ConfigError


@click.command(
    cls=Repeatable,
    epilog="""\b
Examples:
  bdfa train --dataset mnist-5k --epochs 10
  bdfa train --gradient dfa --lr 1e-3 --epochs 5 --save runs/dfa
  bdfa train --save runs/dfa --resume --epochs 10
  bdfa train -dataset MNIST -network mlp.lua -LR 1e-4 -epoch 1
The last line is how the Torch program was called.

Standard output that is closed or on a full disk stops nothing: all lines are
in the run's Log.txt.""",
    exit_codes={
        INTERRUPTED: "interrupted: go on with --resume",
        READER_GONE: "nobody reads the output any longer: go on with --resume",
    },
)
@config_options()
@rule_option
@torch_aliases
@click.option(
    "--config",
    "config_file",
    type=InputPath(dir_okay=False),
    help="Options from a TOML file, such as a run's config.toml; those of the command line go before. Paths in it are "
    "read as if typed here.",
)
@click.option(
    "--load",
    "-load",
    type=WeightsPath(),
    help="Start from the weights of a run folder or of a checkpoint.h5.",
)
@click.option("--dry-run", is_flag=True, help="Show every option with its source and the net's layers; train nothing.")
@click.option(
    "--save",
    "-save",
    type=FolderPath(new=True),
    help="Run folder.  [default: a time stamp under runs/]",
)
@click.option(
    "--resume", is_flag=True, help="Go on with the run in --save, with its own options; start it if there is none."
)
@click.option("--force", is_flag=True, help="Replace the run in --save.")
@trust_option
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
    trust: bool,
    own: tuple[str, ...],
    **_options: Any,
) -> None:
    """Train a net and write a run folder.

    Options have the Torch program's meaning, defaults and, with a single dash, spelling; but of the feedback targets it
    has --feedback-target torch.
    """
    if resume and force:
        raise ConfigError("--resume and --force exclude each other: go on with the run, or replace it")
    if resume and dry_run:
        raise ConfigError("--resume and --dry-run exclude each other: bdfa runs shows what a run has done")
    if resume and save is None:
        raise ConfigError("--resume needs --save RUN, the run to go on with")
    given = given_options(ctx)
    from bdfa_np.options.precedence import choose, left_of

    if dry_run:
        from bdfa_np.cli.dry_run import show

        show(choose(given, config_file, own, trust=trust), load)
        return
    from bdfa_np.parallel.joining import joined
    from bdfa_np.parallel.leading import leading

    team = joined()
    if team is not None and team.rank:
        from bdfa_np.runs.following import follow

        follow(team)
        return
    ctx.with_resource(leading(team))
    from bdfa_np.cli.display import Display
    from bdfa_np.runs.folder import RunFolder
    from bdfa_np.runs.starting import resume_run, start_run
    from bdfa_np.system.interrupts import terminate_like_interrupt

    notes: list[str] = []
    with terminate_like_interrupt():
        if resume and save is not None:
            if not RunFolder(save).is_vacant:
                from_file, notes, files = left_of(config_file, given, trust=trust)
                if load is not None:
                    notes.append(f"note: --load {load} was for the run's start: it goes on from its own weights")
                changes = {**from_file, **given}
                resume_run(
                    save,
                    changes,
                    rule_options=own,
                    notes=notes,
                    files=files,
                    trust=trust,
                    listener=Display(),
                    team=team,
                )
                return
            notes.append(f"note: there is no run in {save} yet: it is started")
        chosen = choose(given, config_file, own, trust=trust)
        notes += chosen.notes
        if given.get("gradient") == "dfa" and "-gradient" in typed(ctx):
            notes.append("note: dfa keeps its feedback fixed; what the Torch program calls dfa is --gradient bdfa")
        start_run(
            chosen.config,
            save or Path("runs") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}",
            load=load,
            force=force,
            numbered=save is None,
            notes=notes,
            files=chosen.files,
            listener=Display(),
            team=team,
        )
