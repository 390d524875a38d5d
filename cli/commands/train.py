"""``bdfa train``: train a net, or go on with a run."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bdfa_np.cli.options import Command, config_options, debug_option, given_options, torch_aliases
from bdfa_np.errors import ConfigError
from bdfa_np.options.config import FOR_CUDA, Config, flag
from bdfa_np.options.precedence import Chosen, choose, whole_name

if TYPE_CHECKING:
    from bdfa_np.cli.run_data import RunData
    from bdfa_np.model import Model

CHANGEABLE = ("epochs", "threads", "backend", *FOR_CUDA, "datapath", "cache_dir")
"""What a resumed run may be given anew; the data in another folder must be the same bytes."""


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
    if dry_run:
        from bdfa_np.cli.dry_run import show

        show(choose(given, config_file), load)
        return
    with terminate_like_interrupt():
        if resume and save is not None:
            resume_run(save, given)
        else:
            start_run(save or default_folder(), choose(given, config_file), given, load=load, force=force)


def default_folder() -> Path:
    """Return a folder under ``runs/`` named by the time, which is not there yet."""
    stamp = Path("runs") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    candidates = [stamp, *(stamp.with_name(f"{stamp.name}_{number}") for number in range(2, 1000))]
    return next(path for path in candidates if not path.exists())


@contextlib.contextmanager
def terminate_like_interrupt() -> Iterator[None]:
    """Treat a request to terminate as Ctrl-C: the run stays resumable, and says how."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def start_run(save: Path, chosen: Chosen, given: dict[str, Any], *, load: Path | None, force: bool) -> None:
    """Start a new run in a folder."""
    from bdfa_np.cli.run_data import load_run_data
    from bdfa_np.cli.session import Session
    from bdfa_np.model import build_model, configured_backend, load_weights
    from bdfa_np.runs.curves import check_drawing
    from bdfa_np.runs.folder import RunFolder

    folder, config = RunFolder(save), chosen.config
    folder.check_free(force=force)
    if config.visualize:
        check_drawing()
    configured_backend(config)  # what cannot be used is refused before any data are read
    with thread_limit(config):
        data = load_run_data(config)
        model = build_model(config, data.split.input_shape, len(data.split.class_names))
        lines = [*chosen.notes, *heading(model, data), *fallback_notes(config)]
        if load is not None:
            lines.append(load_weights(model, load))
        if given.get("gradient") == "dfa":
            lines.append("note: dfa keeps its feedback fixed; what the Torch program calls dfa is --gradient bdfa")
        with folder.new(force=force):
            session = Session(folder, model, data)
            session.begin()
            session.run(lines)


def resume_run(save: Path, given: dict[str, Any]) -> None:
    """Go on with the run in a folder."""
    from bdfa_np.cli.run_data import check_same_data, load_run_data
    from bdfa_np.cli.session import Session
    from bdfa_np.model import build_model, restore
    from bdfa_np.runs.curves import check_drawing
    from bdfa_np.runs.folder import RunFolder, check_same_network, versions

    folder = RunFolder(save)
    with folder.resumed() as (before, document, checkpoint):
        if "network" in given:
            given = {**given, "network": whole_name(given["network"], given.get("models_folder", before.models_folder))}
        for name, value in given.items():
            if name not in CHANGEABLE and value != getattr(before, name):
                raise ConfigError(
                    f"{flag(name)} {value} differs from the run's {getattr(before, name)}: a resumed run keeps its "
                    f"options, only {', '.join(map(flag, CHANGEABLE))} may change"
                )
        config = moved(before, {name: given[name] for name in CHANGEABLE if name in given})
        if config.visualize:
            check_drawing()
        with thread_limit(config):
            data = load_run_data(config)
            check_same_data(data, document, save)
            check_same_network(config, document, save)
            model = build_model(config, data.split.input_shape, len(data.split.class_names))
            restore(model, checkpoint, save)
            lines = [f"resumed after epoch {checkpoint.progress.epoch}", *fallback_notes(config)]
            for package, now in versions().items():
                then = document.get("versions", {}).get(package)
                if then != now:
                    lines.append(f"note: the run was started with {package} {then}, now it is {now}: digits may differ")
            session = Session(folder, model, data)
            session.go_on_from(checkpoint)
            session.run(lines)


def moved(config: Config, changes: dict[str, Any]) -> Config:
    """Return a run's options with changes in where it computes; what was for CUDA alone goes with its backend."""
    if changes.get("backend") == "numpy":
        changes = cuda_defaults() | changes
    return replace(config, **changes).resolve()


def cuda_defaults() -> dict[str, Any]:
    """Return the options that are for CUDA alone, as where they are not given."""
    return {item.name: item.default for item in fields(Config) if item.name in FOR_CUDA}


def fallback_notes(config: Config) -> list[str]:
    """Return a note on why a run that may use CUDA computes on the CPU, where that is not to be expected."""
    from bdfa_np.backend.cuda.status import auto_note

    note = auto_note() if config.backend == "auto" else None
    return [note] if note else []


def thread_limit(config: Config) -> Any:
    """Return a context in which BLAS uses as many threads as the configuration says."""
    import numpy  # noqa: F401 - threadpoolctl limits the libraries that are loaded by now
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=config.threads)


def heading(model: "Model", data: "RunData") -> list[str]:
    """Return the lines that say what is about to be trained."""
    config = model.config
    shape = "x".join(map(str, data.split.input_shape))
    net = f"mlp {config.num_layers}x{config.num_hidden}" if config.network == "mlp" else config.network
    rule = config.gradient + (f" (target {config.feedback_target})" if config.feedback_target else "")
    images = f"ZCA-whitened (ε {config.zca_epsilon:g})" if config.whiten else f"normalization {config.normalization}"
    images += ", yuv" if config.format == "yuv" else ""
    images += ", augmented" if config.augment else ""
    prepared = data.origin()
    threads = f", {config.threads} threads" if model.backend.name == "numpy" else ""
    return [
        f"{data.split.description}, {shape}, {len(data.split.class_names)} classes, {images}",
        *([prepared] if prepared else []),
        f"{net} {config.nonlin}, {rule}, {config.criterion}, "
        f"{config.optimization} lr {config.lr:g}, batch {config.batch_size}, seed {config.seed}, "
        f"{model.backend.describe()}{threads}",
    ]
