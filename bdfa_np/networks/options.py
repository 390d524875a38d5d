"""Options that several nets share, and what a net may read of a configuration."""

from typing import Any, Protocol

from bdfa_np.declaration import Option
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
    "1: mlp drops 0.1 of the input and 0.5 of hidden layers, conv 0.25 and 0.5; 2: only mlp's input, conv's 0.25.",
    choices=(0, 1, 2),
    torch="-dropout",
)
BATCHNORM = "1: batch normalisation before every hidden non-linearity; 2: in conv's second block alone."
"""What the option of this name means; which values there are is each net's own."""
BIAS = Option("bias", True, "0: no biases.", torch="-bias")
