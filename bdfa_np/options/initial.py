"""How weights start, which follows from the rule, the net and its non-linearity where it is not given."""

from bdfa_np.declaration import Condition, Option
from bdfa_np.layers import NON_LINEARITIES
from bdfa_np.layers.base import INITIAL
from bdfa_np.networks import starts_at_zero
from bdfa_np.rules.find import find_rule


def initial(gradient: str, network: str, nonlin: str) -> str:
    """Return ``"zero"`` where rule, net and non-linearity allow it, else ``"uniform"``."""
    alive = starts_at_zero(network) and not NON_LINEARITIES[nonlin].dead_at_zero
    from_zero = find_rule(gradient).starts_at_zero and alive
    return "zero" if from_zero else "uniform"


INIT = Option(
    "init",
    None,
    "How weights start; kaiming and xavier are uniform.  [default: zero where errors do not travel through the "
    "weights and the net can learn from there, of all units but relu; else uniform]",
    kind=str,
    choices=INITIAL,
    follows=lambda config: initial(config.gradient, config.network, config.nonlin),
    follows_from=("gradient", "network", "nonlin"),
    conditions=(
        Condition(
            "gradient",
            lambda gradient, init: init != "zero" or find_rule(gradient).starts_at_zero,
            message="--init zero has no part in --gradient {decider}, whose weights start elsewhere: choose another",
        ),
        Condition(
            "network",
            lambda network, init: init != "zero" or starts_at_zero(network),
            message="--init zero has no part in --network {decider}, which would not learn from there: choose another",
        ),
        Condition(
            "nonlin",
            lambda nonlin, init: init != "zero" or not NON_LINEARITIES[nonlin].dead_at_zero,
            message="--init zero has no part in --nonlin {decider}, whose slope at 0 is 0: choose another",
        ),
    ),
    source="xavier: Glorot and Bengio, AISTATS 2010, eq. 16; kaiming: He et al., arXiv 1502.01852, eq. 10; "
    "orthogonal: Saxe et al., arXiv 1312.6120",
)
