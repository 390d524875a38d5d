"""Options of training that belong to no single rule, net or optimizer."""

from itertools import pairwise
from math import isfinite
from typing import Any

from bdfa_np.constraints import OFF
from bdfa_np.declaration import Condition, Option, at_least, flag, not_negative, positive
from bdfa_np.losses import LOSSES
from bdfa_np.optim import NOT_CARRIED_OVER, OPTIMIZERS
from bdfa_np.schedules import SCHEDULES


def epochs(value: int) -> str | None:
    """Say what is wrong unless this is a number of epochs, or -1 for no bound."""
    return "must be 1 or more, or -1 for no bound" if value < -1 or value == 0 else None


def milestones(text: str) -> tuple[int, ...]:
    """Return the epochs that ``--milestones`` names.

    Raises
    ------
    ValueError
        If they are no whole numbers of 1 or more, each larger than the one before.
    """
    found = tuple(int(word) for word in text.split(","))
    if any(after <= before for before, after in pairwise((0, *found))):
        raise ValueError("not rising from 1")
    return found


def wrong_milestones(text: str) -> str | None:
    """Say what is wrong unless this lists epochs."""
    try:
        milestones(text)
    except ValueError:
        return "must be whole numbers of 1 or more that rise, with commas between, as in 100,150,200"
    return None


def divisor(value: float) -> str | None:
    """Say what is wrong unless a rate may be divided by this to fall."""
    if isfinite(value) and value > 1:
        return None
    return "must be a finite number greater than 1, by which the rate is divided (PyTorch's gamma of 0.1 is 10 here)"


FOLLOWS_RATE = Condition(
    "optimization",
    lambda optimization, _: OPTIMIZERS[optimization].follows_rate,
    reason=", which adapts its steps itself",
)
NO_DECAY = Condition(
    "lr_decay",
    lambda decay, _: not decay,
    message="{flag} and --lr-decay both change the rate: leave one of them out",
)
SCHEDULE = (
    Option(
        "schedule",
        None,
        "Rate by epochs: step: divided by --gamma every --epoch-step; multistep: at --milestones; cosine: to 0 at "
        "--epochs.",
        kind=str,
        choices=SCHEDULES,
        conditions=(
            FOLLOWS_RATE,
            NO_DECAY,
            Condition(
                "epoch_step",
                lambda epochs, schedule: schedule != "step" or epochs > 0,
                message="--schedule step divides the rate every --epoch-step epochs: give one of 1 or more",
            ),
            Condition(
                "milestones",
                lambda epochs, schedule: schedule != "multistep" or epochs is not None,
                message="--schedule multistep divides the rate at --milestones: give them, as in 100,150,200",
            ),
            Condition(
                "epochs",
                lambda epochs, schedule: schedule != "cosine" or epochs > 0,
                message="--schedule cosine comes to 0 at --epochs: give a number greater than 0",
            ),
        ),
        source="cosine: Loshchilov and Hutter, arXiv 1608.03983, eq. 5",
    ),
    Option(
        "gamma",
        None,
        "What step and multistep divide the rate by.  [default: 10]",
        kind=float,
        check=divisor,
        follows=10.0,
        conditions=(
            Condition(
                "schedule",
                lambda schedule, _: schedule in ("step", "multistep"),
                ("step", "multistep"),
                message="{flag} is of --schedule step and multistep: leave it out, or give one of them",
            ),
        ),
    ),
    Option(
        "milestones",
        None,
        "multistep: after how many epochs, as in 100,150,200.",
        kind=str,
        check=wrong_milestones,
        canonical=lambda text: ",".join(map(str, milestones(text))),
        conditions=(
            Condition(
                "schedule",
                lambda schedule, _: schedule == "multistep",
                ("multistep",),
                message="{flag} is of --schedule multistep: leave it out, or give that too",
            ),
        ),
    ),
    Option(
        "warmup",
        0,
        "Let the rate grow over the first N epochs: 1/N of it, 2/N, ...",
        check=at_least(0),
        conditions=(FOLLOWS_RATE, NO_DECAY),
        source="Goyal et al., arXiv 1706.02677, section 2.2",
    ),
)
LOSS = Option(
    "criterion",
    "bce",
    "Loss. The error of bce is summed over the batch, that of ce and mse divided by its size; published rates assume "
    "the sum.",
    torch="-criterion",
    choices=tuple(LOSSES),
)
OPTIMIZER = (
    Option(
        "optimization",
        "rmsprop",
        "Optimizer.",
        torch="-optimization",
        choices=tuple(OPTIMIZERS),
        absent=NOT_CARRIED_OVER,
    ),
    Option(
        "lr",
        None,
        "Learning rate.  [default: 0.0001; rprop 0.1; adadelta 1]",
        kind=float,
        torch="-LR",
        check=positive,
        follows=lambda config: OPTIMIZERS[config.optimization].default_learning_rate,
        follows_from=("optimization",),
    ),
)
TRAINING = (
    Option(
        "max_in_norm",
        OFF,
        "Largest norm of a unit's incoming weights; 400: no limit.",
        torch="-maxInNorm",
        check=positive,
    ),
    Option(
        "max_out_norm",
        OFF,
        "Largest norm of a unit's outgoing weights; 400: no limit.",
        torch="-maxOutNorm",
        check=positive,
    ),
    Option(
        "eps",
        0.0,
        "Adversarial regularisation: train on x + X · sign(dE/dx).",
        torch="-eps",
        check=not_negative,
        source="Goodfellow et al., arXiv 1412.6572",
    ),
    Option(
        "acc_gradient",
        False,
        "1: with --eps, add the clean pass's gradient.",
        torch="-accGradient",
        conditions=(
            Condition(
                "eps",
                lambda eps, _: eps != 0,
                message="--acc-gradient 1 keeps the clean pass's gradient, which only --eps has: give --eps too",
            ),
        ),
    ),
    Option(
        "clip_norm",
        None,
        "Scale the gradient of all weights and biases back to at most this norm.",
        kind=float,
        check=positive,
        source="Pascanu, Mikolov and Bengio, arXiv 1211.5063, algorithm 1",
    ),
    Option("batch_size", 64, "Images a batch.", torch="-batchSize", check=at_least(1)),
    Option("const_batch_size", False, "Drop an epoch's last, smaller batch.", torch="-constBatchSize", is_flag=True),
    Option(
        "epochs",
        300,
        "Epochs; -1: no bound. A run ends before once the running mean of its training error is 1e-4 "
        "(m = 0.75 m + 0.25 error, from m = 1).",
        torch="-epoch",
        check=epochs,
    ),
    Option(
        "keep_best",
        False,
        "Keep the net of the lowest validation error as best.h5.",
        is_flag=True,
    ),
    Option(
        "patience",
        None,
        "Stop after N epochs without a new lowest validation error.",
        kind=int,
        check=at_least(1),
    ),
    Option(
        "on_test",
        False,
        "Without --validate: let --keep-best and --patience choose on test images; what is chosen so, says so.",
        is_flag=True,
        conditions=(
            Condition(
                "validate",
                lambda validate, _: not validate,
                message="{flag} has no part in a run with --validate, which chooses by validation: leave one out",
            ),
        ),
    ),
    Option(
        "epoch_step",
        -1,
        "Halve the rate: k>0 every k epochs; 0 whenever the training error stops falling, 8 times; -1 never.",
        torch="-epoch_step",
        check=at_least(-1),
        conditions=(FOLLOWS_RATE, Condition("schedule", lambda schedule, _: schedule in (None, "step"))),
    ),
    *SCHEDULE,
)


def choosing_problem(config: Any) -> str | None:
    """Say what is wrong where a configuration chooses among epochs and does not say by which images, or the reverse.

    Parameters
    ----------
    config : Config
        All options.
    """
    chooses = [name for name in ("keep_best", "patience") if getattr(config, name)]
    if chooses and not (config.validate or config.on_test):
        return f"{flag(chooses[0])} chooses by validation error: give --validate, or --on-test to choose on test images"
    if config.on_test and not chooses:
        return "--on-test is for what --keep-best and --patience choose: give one of them, or leave it out"
    return None
