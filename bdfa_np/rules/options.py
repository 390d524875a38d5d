"""Options that several rules share."""

from bdfa_np.declaration import Condition, Option, magnitude, not_negative
from bdfa_np.optim import OPTIMIZERS

RFB_MAG = Option(
    "rfb_mag",
    0.0,
    "Feedback is drawn within ±X; 0: from its size.",
    check=magnitude,
    keyword="magnitude",
    torch="-rfb_mag",
)

FEEDBACK_LR = Option(
    "feedback_lr",
    None,
    "Learning rate of the feedback.  [default: {defaults}]",
    kind=float,
    check=not_negative,
    keyword="learning_rate",
)
"""A rule says what it is where it is not given: ``replace(FEEDBACK_LR, follows=0.01)``."""

FEEDBACK_OPTIMIZER = Option(
    "feedback_optimizer",
    None,
    "Optimizer of the feedback.  [default: {defaults}]",
    kind=str,
    choices=tuple(name for name, kind in OPTIMIZERS.items() if not kind.needs_momentum),
    keyword="optimizer",
    conditions=(
        Condition(
            "momentum",
            lambda momentum, name: momentum != 0 or name is None or not OPTIMIZERS[name].needs_momentum,
            message="{flag} {value} takes the net's --momentum, and there is none: give it, with an --optimization "
            "that has one, or choose another",
        ),
    ),
)
