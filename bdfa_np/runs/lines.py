"""What a run says, in lines of at most 80 columns (paths aside): on a terminal, and in its ``Log.txt``."""

import itertools
import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bdfa_np import __version__
from bdfa_np.declaration import Option
from bdfa_np.layers.activation import NON_LINEARITIES, NonLinearity
from bdfa_np.model import Model
from bdfa_np.network import Sequential
from bdfa_np.options.config import Config
from bdfa_np.options.tracking import Interval
from bdfa_np.options.usual import differing_first, lines_of
from bdfa_np.runs.data import RunData
from bdfa_np.runs.history import lowest
from bdfa_np.runs.store.result import FinalTest
from bdfa_np.system.text import counted
from bdfa_np.tables import WIDTH
from bdfa_np.trainer import EpochRecord

CHOSEN_ON_TEST = "chosen on test images"
DEAR_SHARE = 0.2
"""From which share of training on it is said how measuring takes less."""
_MOST_ANGLE_LINES = 3
"""Layers are named one by one where their angles take no more lines than that."""


def opening(model: Model) -> list[str]:
    """Return what a log begins with: all options, those that differ from their defaults first, and the layers.

    An option that follows from others where it is not given counts as a default when it has that value.
    """
    config = model.config
    parameters = model.network.weights.values.size
    differing, usual = ([_option_line(config, option) for option in part] for part in differing_first(config))
    return [
        f"bdfa-np {__version__}",
        "options other than the defaults:",
        *itertools.chain(*differing),
        "options as they are by default:",
        *itertools.chain(*usual),
        "",
        *str(
            model.network.table(model.rule.B, f"layers, with {counted(parameters, 'parameter')} in all:")
        ).splitlines(),
        "",
    ]


def _option_line(config: Config, option: Option) -> list[str]:
    """Return a line of an option; of a rule's own options one each, so that there may be none."""
    equals = " = " if option.type is dict else " "
    return [
        f"  {spelling}{equals}{'not given' if value is None else value}"
        for spelling, value in lines_of(option, getattr(config, option.name)).items()
    ]


def heading(model: Model, data: RunData) -> list[str]:
    """Return the lines that say what is about to be trained."""
    config = model.config
    shape = "x".join(map(str, data.split.input_shape))
    if data.split.holds_vectors:
        shape = counted(data.split.input_shape[0], "column")
    images = f"ZCA-whitened (ε {config.zca_epsilon:g})" if config.whiten else f"normalization {config.normalization}"
    images += ", yuv" if config.format == "yuv" else ""
    images += ", augmented" if config.augment else ""
    images += f" ({config.augment})" if isinstance(config.augment, str) else ""
    prepared = data.origin()
    threads = f", {counted(config.threads, 'thread')}" if model.backend.name == "numpy" else ""
    return [
        data.split.description,
        *([prepared] if prepared else []),
        f"{shape}, {counted(len(data.split.class_names), 'class', 'classes')}, {images}",
        net_line(config, model.network),
        f"{config.optimization} lr {config.lr:g}, batch {config.batch_size}, seed {config.seed}, "
        f"{model.backend.describe()}{threads}",
        *course(config),
        *choices(config),
        *held_out_lines(data, config),
    ]


def net_line(config: Config, network: Sequential) -> str:
    """Return the net with the non-linearity that its layers have, the rule and the loss."""
    net = f"mlp {config.num_layers}x{config.num_hidden}" if config.network == "mlp" else config.network
    net = Path(net).name if net.endswith(".py") else net
    rule = config.gradient + (f" (target {config.feedback_target})" if config.feedback_target else "")
    return f"{' '.join(filter(None, (net, non_linearity(network))))}, {rule}, {config.criterion}"


def non_linearity(network: Sequential) -> str:
    """Return a net's non-linearity as ``--nonlin`` has it; empty where it has none, or several."""
    kinds = {type(layer) for layer in network.tree() if isinstance(layer, NonLinearity)}
    if len(kinds) != 1:
        return ""
    (kind,) = kinds
    return next((name for name, known in NON_LINEARITIES.items() if known is kind), kind.kind)


def held_out_lines(data: RunData, config: Config) -> list[str]:
    """Return a note where the images held out are of a part of the classes, as the end of a sorted set is."""
    if not config.validate or config.test_limit is not None:
        return []
    tested, trained = (set(labels.tolist()) for labels in (data.split.test_labels, data.split.train_labels))
    if trained <= tested:
        return []
    classes = counted(len(trained | tested), "class", "classes")
    return [
        f"note: the validation images are of {len(tested)} of {classes}, since the training",
        "  set ends with these: mix its order, or give other images as its test images",
    ]


def course(config: Config) -> list[str]:
    """Return a line on what becomes of the rate from epoch to epoch, where options say so."""
    said = [f"grows over {counted(config.warmup, 'epoch')}"] if config.warmup else []
    if config.schedule == "step":
        said.append(f"is divided by {config.gamma:g} every {counted(config.epoch_step, 'epoch')}")
    elif config.schedule == "multistep":
        said.append(f"is divided by {config.gamma:g} after epochs {config.milestones}")
    elif config.schedule == "cosine":
        said.append(f"falls along a cosine to 0 after {counted(config.epochs, 'epoch')}")
    return [f"lr {', '.join(said)}"] if said else []


def choices(config: Config) -> list[str]:
    """Return what a run says beforehand of the net that it keeps, and of when it stops."""
    chosen = f", {CHOSEN_ON_TEST}" if config.on_test else ""
    lines = []
    if config.keep_best:
        lines.append(f"keeps the net of the lowest {config.tested_on} error{chosen}")
    if config.patience is not None:
        lines.append(
            f"stops after {counted(config.patience, 'epoch')} without a lower {config.tested_on} error{chosen}"
        )
    return lines


def epoch_heading(tested_on: str, epochs: int) -> list[str]:
    """Return the lines over the epochs' figures: what the running mean is, and a heading for each column."""
    space = " " * len(_label(max(epochs, 1), epochs))
    return [
        "mean: running mean of the training error, m = 0.75 m + 0.25 error, from m = 1",
        f"{space} {'training':^24}  {tested_on:^16}".rstrip(),
        f"{space} {'error':>7} {'mean':>7} {'loss':>8}  {'error':>7} {'loss':>8}  {'lr':>8} {'seconds':>7}",
    ]


def epoch_line(record: EpochRecord, epochs: int) -> str:
    """Return an epoch's line in the log."""
    return (
        f"{_label(record.epoch, epochs)} "
        f"{record.train_error:7.2%} {record.train_error_mean:7.2%} {_loss(record.train_loss):>8}  "
        f"{record.test_error:7.2%} {_loss(record.test_loss):>8}  "
        f"{record.lr:8.3g} {record.seconds:7.1f}"
    )


def _loss(value: float) -> str:
    """Return a loss with four decimals, or with four digits and a power of ten where its column has no room."""
    text = f"{value:.4f}"
    if len(text) <= 8:
        return text
    digits, _, power = f"{value:.3e}".partition("e")
    return f"{digits}e{int(power)}"


def _label(epoch: int, epochs: int) -> str:
    """Return what an epoch's line begins with, as wide as the last epoch's."""
    if epochs <= 0:
        return f"{f'epoch {epoch}:':<11}"
    return f"epoch {epoch:>{len(str(epochs))}}/{epochs}:"


def halved_line(before: float, after: float) -> str:
    """Return the line of a learning rate that has been halved."""
    return f"learning rate halved: {before:.3g} to {after:.3g}"


def learns_nothing_lines(error: float, tested_on: str) -> list[str]:
    """Return the note on a net that gives no better answers than a constant one, and on what to try."""
    return [
        f"note: {tested_on} error {error:.2%}, as if the largest class were always guessed, and",
        "  the loss no longer falls: try a tenth or ten times the --lr, another --nonlin",
        "  or --optimization; --gradient bp shows whether this net can learn these data",
    ]


def angle_lines(layers: Sequence[str], figures: Mapping[str, float]) -> list[str]:
    """Return what an epoch's measurement says of each layer's signal, beneath its line; nothing where it says nothing.

    Parameters
    ----------
    layers : sequence of str
        From input to output.
    figures : mapping of str to float
        As `bdfa_np.diagnostics.diagnostics.Diagnostics.figures` has them.
    """
    angles = [figures.get(f"signal_angle.{layer}") for layer in layers]
    if all(angle is None for angle in angles):
        return []
    said = ["-" if angle is None else f"{angle:.0f}°" for angle in angles]
    # A layer and its angle stay on one line.
    named = ", ".join(f"{layer}\N{NO-BREAK SPACE}{angle}" for layer, angle in zip(layers, said, strict=True))
    lines = _indented(f"angle to the gradient: {named}")
    if len(lines) > _MOST_ANGLE_LINES:
        lines = _indented(f"angles to the gradient, from {layers[0]} to {layers[-1]}: {' '.join(said)}")
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def missing_angle_lines(layers: Sequence[str], figures: Mapping[str, float]) -> list[str]:
    """Return why some layers have ``-`` in place of an angle; nothing where none of them has.

    Parameters
    ----------
    layers, figures
        As in `angle_lines`.
    """
    missing = [layer for layer in layers if f"signal_angle.{layer}" not in figures]
    if len(missing) == len(layers):
        return []
    below = [layer for layer in missing if figures.get(f"meaningful.{layer}") == 0]
    lines = []
    if below:
        lines += _indented("-: the exact gradient is below the numerical floor, so that an angle to it says nothing")
    if len(below) < len(missing):
        lines += _indented("-: no signal of the rule reaches the layer" + (", or it is below the floor" * bool(below)))
    return lines


def tracking_lines(measured: int, seconds: float, of_training: float, every: Interval, *, last: bool) -> list[str]:
    """Return the lines on what measuring has taken, and on what was not measured.

    Parameters
    ----------
    measured : int
        How often was measured in this sitting.
    seconds, of_training : float
        How long that took, and how long training took beside it.
    every : Interval
        How often was to be measured.
    last : bool
        Whether anything was measured in the last epoch.
    """
    share = seconds / of_training if of_training else 0.0
    taken = f"{share:.1%} of training" if share <= 1 else f"{share:.2g} times the training"
    taken = f"{share:,.0f} times the training" if share >= 10 else taken
    line = f"measured {counted(measured, 'time')}"
    if measured:
        line += f" in {seconds:,.1f} s besides{f', {taken}' if share else ''}: diagnostics.h5"
    lines = [line]
    if measured and share > DEAR_SHARE:
        lines.append("  --track-every N measures less often")
    if not last:
        unit = "steps of the run" if every.of_steps else "epochs"
        when = f"after every {every.number:,} {unit}"
        lines += _indented(f"the last epoch was not measured: --track-every {every} measures {when}")
    return lines


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def rule_lines(notes: Iterable[str]) -> list[str]:
    """Return what a rule says after an epoch, indented beneath its line."""
    return [line for note in notes for line in textwrap.wrap(note, 80, initial_indent="  ", subsequent_indent="    ")]


def slowed_lines(times: float, threads: int, folder: Path) -> list[str]:
    """Return the note on an epoch that took many times as long as those before, and on what helps."""
    said = f"note: this epoch took {times:.0f} times as long as those before: another program may"
    if threads == 1:
        return [said, "  want what it computes on"]
    return [
        said,
        "  want the cores, and threads wait for one another. One thread waits least:",
        "  press Ctrl-C, and go on with",
        f"  bdfa train --save {shlex.quote(str(folder))} --resume --threads 1",
    ]


def ending(
    config: Config, history: Sequence[EpochRecord], reason: str, tested: FinalTest | None, folder: Path
) -> list[str]:
    """Return the lines that a run ends with.

    Parameters
    ----------
    config : Config
        The run's options.
    history : sequence of EpochRecord
        All its epochs.
    reason : str
        Why it ended by itself; empty where all epochs are done.
    tested : FinalTest, optional
        What the net that is kept comes to on the test images, where these are not the part tested on.
    folder : Path
        The run folder.
    """
    best, last = lowest(history), history[-1]
    lines = [f"ended early: {reason}"] if reason else []
    found = f"{config.tested_on} error {last.test_error:.2%} after {counted(last.epoch, 'epoch')}"
    lowest_found = f"lowest {best.test_error:.2%} after {best.epoch}"
    chosen = f", {CHOSEN_ON_TEST}" if config.on_test else ""
    lines += [f"done: {found}", f"{lowest_found}{chosen}"] if chosen else [f"done: {found}, {lowest_found}"]
    if config.keep_best:
        lines.append(f"best.h5: the net after {counted(best.epoch, 'epoch')}{chosen}")
        lines.append(f"  bdfa evaluate {shlex.quote(str(folder))} --best")
    elif best.test_error < last.test_error:
        that = f"that net{chosen}," if chosen else f"the net after {counted(best.epoch, 'epoch')}"
        how = "--keep-best" if config.validate or config.on_test else "--validate --keep-best"
        lines.append(f"{that} is not kept: {how} keeps the best one")
    if tested is not None:
        which = "best" if config.keep_best else "last"
        lines.append(
            f"test error {tested.error:.2%} of the {which} net, after {counted(tested.epoch, 'epoch')}, "
            f"on {counted(tested.images, 'test image')}"
        )
    seconds = sum(record.seconds for record in history)
    return [*lines, f"{seconds:,.1f} s in all, run folder: {folder}"]
