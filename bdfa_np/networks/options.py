"""Options that several nets share, and what a net may read of a configuration."""

from typing import Any, Protocol

from bdfa_np.declaration import Option, fraction
from bdfa_np.layers import NON_LINEARITIES


class Settings(Protocol):
    """What a net is built by: the options of a run.

    Attributes
    ----------
    initial : {"uniform", "zero", "xavier", "kaiming", "orthogonal"}
        How weights start, as `Linear` and `Conv2d` take it: what ``--init`` says, else what the rule allows.
    """

    @property
    def initial(self) -> str:
        """How weights start."""

    def __getattr__(self, name: str) -> Any:
        """Return an option's value."""


NONLIN = Option("nonlin", "tanh", "Hidden non-linearity.", choices=tuple(NON_LINEARITIES), torch="-nonlin")
DROPOUT = Option(
    "dropout",
    0,
    "1: drops 0.1 of the input and 0.5 of hidden layers, of conv's first two 0.25; 2: only mlp's input, conv's 0.25.",
    choices=(0, 1, 2),
    torch="-dropout",
)


def dropped_of_the_input(config: Settings) -> float:
    """Return the share of the input that ``dropout`` drops."""
    return 0.1 if config.dropout == 1 or (config.dropout == 2 and config.network == "mlp") else 0.0


INPUT_DROPOUT = Option(
    "input_dropout",
    None,
    "Share of the input that is dropped.  [default: as --dropout says]",
    kind=float,
    check=fraction,
    follows=dropped_of_the_input,
    follows_from=("network", "dropout"),
)
BATCHNORM = "1: batch normalisation before every hidden non-linearity; 2: in conv's second block alone."
"""What the option of this name means; which values there are is each net's own."""
BIAS = Option("bias", True, "0: no biases.", torch="-bias")
