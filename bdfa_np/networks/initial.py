"""How the weights of the built-in nets start."""

from bdfa_np.options.config import Config


def initial_weights(config: Config) -> str:
    """Return ``"zero"`` or ``"uniform"``, as `Linear` and `Conv2d` take it.

    Weights start at zero where the rule's errors do not travel through them and the non-linearity has a slope
    at zero; under ``bp``, and with ``relu``, they must not.
    """
    return "uniform" if config.gradient == "bp" or config.nonlin == "relu" else "zero"
