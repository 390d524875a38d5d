"""Whether all that a net and a rule learn from a batch can be added up over processes."""

from bdfa_np.errors import ConfigError
from bdfa_np.layers.base import Layer
from bdfa_np.network import Sequential
from bdfa_np.rules.base import Rule

ASKED = ("backward", "train_feedback", "before_training", "after_step")
"""Methods of a rule in which it may learn more than the weights' gradients."""


def check_adds_up(network: Sequential, rule: Rule) -> None:
    """Refuse a rule or a layer of one's own that looks at a batch as if it were whole.

    Raises
    ------
    ConfigError
        If it does.
    """
    kind = type(rule)
    learning = [name for name in ASKED if getattr(kind, name) is not getattr(Rule, name)]
    learning += ["feedback"] if rule.feedback.gradients is not None else []
    if learning and not kind.across_processes:
        raise ConfigError(
            f"{rule.name} does not say that its {learning[0]} adds up over processes, each of which has a share of the "
            "batch: see Rule.steps, then set across_processes = True; or train with one process"
        )
    for layer in network.tree():
        if type(layer).state is not Layer.state and type(layer).agree is Layer.agree:
            raise ConfigError(
                f"{layer.name} carries something from batch to batch, which processes that share a batch would not "
                "agree on: write its method agree, or train with one process"
            )
