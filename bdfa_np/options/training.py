"""Options of training that belong to no single rule, net or optimizer."""

from typing import Any

from bdfa_np.constraints import OFF
from bdfa_np.declaration import Condition, Option, at_least, flag, not_negative, positive
from bdfa_np.losses import LOSSES
from bdfa_np.optim import NOT_CARRIED_OVER, OPTIMIZERS


def epochs(value: int) -> str | None:
    """Say what is wrong unless this is a number of epochs, or -1 for no bound."""
    return "must be 1 or more, or -1 for no bound" if value < -1 or value == 0 else None


LOSS = Option(
    "criterion",
    "bce",
    "Loss. The error of bce is summed over the batch, not divided by its size, as published rates assume.",
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
        conditions=(
            Condition(
                "optimization",
                lambda optimization, _: OPTIMIZERS[optimization].follows_rate,
                reason=", which adapts its steps itself",
            ),
        ),
    ),
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
