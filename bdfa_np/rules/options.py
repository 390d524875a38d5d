"""Options that several rules share."""

from bdfa_np.declaration import Condition, Option, magnitude, not_negative
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.rules.targets import ALPHA, SHARED_TARGETS, TARGETS_WITH_ALPHA

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

FEEDBACK_TARGET = Option(
    "feedback_target",
    None,
    "What B learns from: bdfa to predict activities, bfa to draw the input; torch, as the Torch program has it: bdfa "
    "alone.  [default: {defaults}]",
    kind=str,
    choices=SHARED_TARGETS,
    keyword="target",
    follows="label",
    source="label: Luo et al., arXiv 1702.07097, eq. 23 and 39; mixed: eq. 51; torch: the Torch code",
)

FEEDBACK_ALPHA = Option(
    "feedback_alpha",
    None,
    f"{{owners}}: α of the targets {' and '.join(TARGETS_WITH_ALPHA)}.  [default: {ALPHA:g}]",
    kind=float,
    check=not_negative,
    keyword="alpha",
    follows=ALPHA,
    conditions=(
        Condition(
            "feedback_target",
            lambda target, _: target in (None, *TARGETS_WITH_ALPHA),
            owners=TARGETS_WITH_ALPHA,
            as_resolved=True,
        ),
    ),
    source="Luo et al., arXiv 1702.07097, eq. 51",
)

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
