"""What is measured of each layer, by name: in which group, in which unit, and what it says."""

from collections.abc import Iterable
from dataclasses import dataclass

from bdfa_np.options.tracking import GROUPS

__all__ = ["FILE", "GROUPS", "MAIN", "QUANTITIES", "Quantity", "of_groups", "ordered"]

FILE = "diagnostics.h5"
"""The file of a run folder that has all that was measured."""


@dataclass(frozen=True)
class Quantity:
    """One number a layer.

    Attributes
    ----------
    name : str
        As in ``diagnostics.h5``.
    group : str
        One of `GROUPS`.
    title : str
        What stands at an axis or over a column.
    unit : str
        ``degrees``, ``share``, ``singular values``, or nothing.
    main : bool
        Whether ``metrics.csv`` has it too, as ``<name>.<layer>``.
    applies : str
        Which layers alone have it, a sentence; empty where all have.
    """

    name: str
    group: str
    title: str
    unit: str = ""
    main: bool = False
    applies: str = ""


_OF_FEEDBACK = "only rules with feedback weights B have one"
_OF_DIRECT = "only B that goes from the output to a hidden layer has one"
QUANTITIES = (
    Quantity("signal_angle", "alignment", "angle of δ to the exact gradient", "degrees", main=True),
    Quantity("gradient_angle", "alignment", "angle of dW to the exact gradient", "degrees"),
    Quantity("signal_norm", "alignment", "norm of δ, mean over images"),
    Quantity("exact_norm", "alignment", "norm of the exact gradient, mean over images"),
    Quantity("meaningful", "alignment", "whether the exact gradient stands above the numerical floor"),
    Quantity("weight_norm", "weights", "norm of W"),
    Quantity("update_ratio", "weights", "norm of a step's update over the norm of W"),
    Quantity("feedback_norm", "feedback", "norm of B", applies=_OF_FEEDBACK),
    Quantity(
        "feedback_angle",
        "feedback",
        "angle of B to the weights it stands for",
        "degrees",
        main=True,
        applies=_OF_FEEDBACK,
    ),
    Quantity("feedback_common", "feedback", "share of B that all classes have in common", "share", applies=_OF_DIRECT),
    Quantity("feedback_rank", "feedback", "effective rank of B", "singular values", applies=_OF_DIRECT),
    Quantity(
        "feedback_fit",
        "feedback",
        "how well B predicts h, mean σ(s)",
        "share",
        applies="only under bdfa, hidden layers have one",
    ),
    Quantity("activity_norm", "activity", "norm of h, mean over images"),
    Quantity("saturated", "activity", "saturated units", "share", applies="only tanh and sigmoid can be saturated"),
    Quantity("dead", "activity", "dead units", "share", applies="only ReLU's units can be dead"),
    Quantity("signal_rank", "rank", "effective rank of δ", "singular values"),
    Quantity("activity_rank", "rank", "effective rank of h", "singular values"),
    Quantity("probe_error", "probe", "error of a ridge probe on held-out images", "share"),
)
"""A quantity that does not apply to a layer is NaN there."""
MAIN = tuple(quantity.name for quantity in QUANTITIES if quantity.main)


def of_groups(groups: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the quantities of some groups, in the order of `QUANTITIES`."""
    chosen = set(groups)
    return tuple(quantity.name for quantity in QUANTITIES if quantity.group in chosen)


def ordered(names: Iterable[str]) -> list[str]:
    """Return names of quantities, each once, in the order of `QUANTITIES`; others after them."""
    known = [quantity.name for quantity in QUANTITIES]
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))
