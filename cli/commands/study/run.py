"""``bdfa study run``: carry out a study's runs."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bdfa_np.cli.options import config_options, debug_option, given_options, trust_option
from bdfa_np.cli.outcome import DONE, FAILED
from bdfa_np.cli.paths import FolderPath
from bdfa_np.cli.repeatable import Repeatable, as_typed
from bdfa_np.errors import ConfigError
from bdfa_np.options.machine import WHERE
from bdfa_np.system.streams import ReaderGone

if TYPE_CHECKING:
    from bdfa_np.study.engine.base import Engine
    from bdfa_np.study.laboratory import Order


class Share(click.ParamType[tuple[int, int]]):
    """A part of the runs, as ``2/5``: the second of five."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return which part, and of how many."""
        number, _, count = str(value).partition("/")
        if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            return int(number), int(count)
        return self.fail(f"{value!r} is no part: give I/N, as 1/4 to 4/4 for four jobs", param, ctx)


@click.command(
    "run",
    cls=Repeatable,
    epilog="""\b
Examples:
  bdfa study run luo-mnist --dry-run
  bdfa study run luo-mnist --cells 1x400 --seeds 1 --epochs 20
  bdfa study run sweep.toml --workers 2
  bdfa study run sweep.toml --scheduler tcp://node7:8786

After all exit codes but 0, the same command goes on: what is finished is not
trained again, and what is not goes on from its last whole epoch.""",
    exit_codes={DONE: "all runs are finished", FAILED: "some runs have failed"},
)
@click.argument("study", metavar="NAME|FILE")
@click.option("--save", type=FolderPath(new=True), help="The study's folder.  [default: studies/NAME]")
@click.option(
    "--cells",
    multiple=True,
    metavar="PATTERN",
    help="Only cells of which the name or a label fits, as in '1x400' or '*/bdfa'; as often as you like.",
)
@click.option("--seeds", type=click.IntRange(min=1), help="How many seeds of each cell.  [default: as the study says]")
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Shorten runs to so many epochs: they have folders of their own."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many runs at once here, on a core each; more than one needs the extra 'cluster'.  [default: as many as "
    "there are cores]",
)
@click.option(
    "--gpu-workers", type=click.IntRange(min=1), metavar="N", help="How many runs at once here, each on its own GPU."
)
@click.option(
    "--scheduler", metavar="ADDRESS|FILE", help="Send runs to a Dask cluster: tcp://HOST:PORT, or a scheduler file."
)
@click.option(
    "--collect", is_flag=True, help="Bring run folders back from a cluster that has no folder in common with this one."
)
@click.option(
    "--collect-every", type=click.IntRange(min=1), metavar="N", help="Do so after every N epochs.  [default: 1]"
)
@click.option("--shard", type=Share(), default="1/1", help="Only the I-th of N parts of the runs, for N separate jobs.")
@click.option("--dry-run", is_flag=True, help="Show all runs, how far they are and what they take; train nothing.")
@config_options(*WHERE)
@trust_option
@debug_option
@click.pass_context
def study_run(
    ctx: click.Context,
    /,
    study: str,
    save: Path | None,
    cells: Sequence[str],
    seeds: int | None,
    epochs: int | None,
    shard: tuple[int, int],
    dry_run: bool,
    workers: int | None,
    gpu_workers: int | None,
    scheduler: str | None,
    collect: bool,
    collect_every: int | None,
    trust: bool,
    **_options: Any,
) -> int:
    """Carry out the runs of a study.

    It is one of the package's by its NAME, or one of your own in a FILE. Every cell is trained with every seed, each
    run in a run folder of its own under studies/NAME. Runs that are finished are skipped, those that were interrupted
    go on from their last whole epoch, and those that fail do not stop the others. A run has one thread unless --threads
    or the study says otherwise.
    """
    from bdfa_np.cli.study_display import display
    from bdfa_np.study.description import load_study
    from bdfa_np.study.engine.choosing import choose_engine
    from bdfa_np.study.laboratory import carry_out_all, default_folder, order_of
    from bdfa_np.system.interrupts import terminate_like_interrupt

    if gpu_workers is not None and ctx.params.get("backend") == "numpy":
        raise ConfigError("--gpu-workers and --backend numpy exclude each other: leave one of them out")
    engine = choose_engine(
        workers=workers, scheduler=scheduler, collect=collect, collect_every=collect_every, gpu_workers=gpu_workers
    )
    described = load_study(study, trust=trust)
    place = save or default_folder(described.name)
    order = order_of(described, place, cells=cells, seeds=seeds, epochs=epochs, share=shard)
    machine = {name: value for name, value in given_options(ctx).items() if name in WHERE}
    if dry_run:
        _show_plan(order, machine, engine)
        return 0
    shown = display(f"{described.name} in {place}", described.measure)
    try:
        with terminate_like_interrupt():
            outcomes = carry_out_all(order, engine=engine, machine=machine, data_here=scheduler is None, watcher=shown)
    except (KeyboardInterrupt, ReaderGone) as end:
        kind = ReaderGone if isinstance(end, ReaderGone) else KeyboardInterrupt
        raise kind(f"{shown.said()}; go on with: {as_typed(ctx)}") from None
    finally:
        shown.ends_showing()
    click.echo(f"{shown.said()}; their table: bdfa study table {shlex.quote(str(place))}")
    return FAILED if any(outcome.state == "failed" for outcome in outcomes) else 0


def _show_plan(order: "Order", machine: dict[str, Any], engine: "Engine") -> None:
    """Print what would be carried out."""
    from bdfa_np.cli.study_plan import show_plan
    from bdfa_np.study.engine.choosing import Here
    from bdfa_np.study.estimate import Estimates
    from bdfa_np.study.laboratory import look_over
    from bdfa_np.study.standing import Standing

    look_over(order.left(), machine, data_here=False)
    at_once = engine.at_once(order.left(), machine) if isinstance(engine, Here) else None
    standing = Standing(f"{order.study.name} in {order.folder.path}", order.study.measure)
    show_plan(order, standing, at_once, Estimates().seconds_of)
