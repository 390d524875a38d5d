"""Direct Kolen-Pollack: DFA whose feedback matrices learn what the weights of the output layer learn."""

from dataclasses import replace
from typing import Any, ClassVar

from bdfa_np.declaration import Condition, Option, not_negative
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.rules.direct.dfa import DFA
from bdfa_np.rules.direct.feedback import OF_TRAINED, where_kept
from bdfa_np.rules.options import FEEDBACK_LR, FEEDBACK_OPTIMIZER
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways


def _rate_of_the_net(config: Any) -> Any:
    return OPTIMIZERS[config.optimization].default_learning_rate if config.lr is None else config.lr


OPTIONS = (
    replace(
        FEEDBACK_OPTIMIZER,
        choices=tuple(OPTIMIZERS),
        follows=lambda config: config.optimization,
        follows_from=("optimization",),
        default_text="the net's",
    ),
    replace(FEEDBACK_LR, follows=_rate_of_the_net, follows_from=("lr", "optimization"), default_text="--lr"),
    Option(
        "feedback_decay",
        0.0,
        "dkp: weight decay of the feedback.",
        check=not_negative,
        keyword="decay",
        conditions=(
            Condition(
                "feedback_optimizer",
                lambda name, _: name is None or "weight_decay" in OPTIMIZERS[name].options,
                message="{flag} has no part in --feedback-optimizer {decider}, which has no weight decay: leave it out",
            ),
        ),
    ),
)


class DKP(DFA):
    """DFA in which ``B_l`` learns by ``dB_l = eᵀ h_l``, with an optimizer of its own.

    It is to ``B_l`` what ``dW_{L+1} = h_Lᵀ e`` is to the output layer: with one hidden layer, one rate and one decay λ,
    plain gradient descent brings ``B - W_2ᵀ`` down by ``1 - ηλ`` a step, whatever both learn (Webster, Choi and Ahn,
    Learning the Connections in Direct Feedback Alignment, 2021, after Kolen and Pollack, 1994). The authors train ``B``
    with Adam, at a rate of 1e-4 that falls by a fifth an epoch and a decay of 1e-6.

    Parameters
    ----------
    network : Sequential
        The network to train, with an `ErrorFeedback` at the end of every hidden block.
    magnitude, initial, sparsity
        How the initial ``B`` is drawn, as `DFA` has it. Of a sparse one, only the entries that it keeps learn.
    learning_rate : float, default 1e-4
        The rate of ``B``; a schedule or a halving of the net's rate changes it alike.
    decay : float, default 0
        The weight decay of ``B``.
    optimizer : str, default "sgd"
        One of `bdfa_np.optim.OPTIMIZERS`, which trains ``B``.
    momentum, dampening, lr_decay
        Its further settings, if it has them. A run hands on those of the net's optimizer.

    Raises
    ------
    ValueError
        If the optimizer is unknown or cannot be made so, the network has no feedback site, or ``B`` cannot be drawn so.
    """

    name = "dkp"
    summary = "direct Kolen-Pollack: each B learns as the output layer's weights would, from its block's activity"
    formula = "δ_l = (e B_l) ⊙ f'(a_l)"
    trains = "W, and B by dB_l = eᵀ h_l, with an optimizer of its own"
    source = "Webster, Choi and Ahn, 2021, Learning the Connections in Direct Feedback Alignment"
    pathways: ClassVar[Pathways] = (Pathway("direct", (FeedbackMatrix("B", "trained", learns_from="h_l", by="eᵀh"),)),)
    options: ClassVar[tuple[Option, ...]] = (*OF_TRAINED, *OPTIONS)
    reads = ("momentum", "dampening", "lr_decay")
    trains_feedback = True
    across_processes = True

    def __init__(
        self,
        network: Sequential,
        *,
        magnitude: float = 0.0,
        initial: str | None = "uniform",
        sparsity: int | None = None,
        learning_rate: float = 1e-4,
        decay: float = 0.0,
        optimizer: str = "sgd",
        momentum: float = 0.0,
        dampening: float | None = None,
        lr_decay: float = 0.0,
    ) -> None:
        super().__init__(network, magnitude=magnitude, initial=initial, sparsity=sparsity)
        if optimizer not in OPTIMIZERS:
            raise ValueError(f"unknown optimizer {optimizer!r}: choose from {', '.join(OPTIMIZERS)}")
        kind = OPTIMIZERS[optimizer]
        if decay and "weight_decay" not in kind.options:
            raise ValueError(f"{optimizer} has no weight decay: leave decay out")
        given = {"momentum": momentum, "dampening": dampening, "lr_decay": lr_decay, "weight_decay": decay}
        settings: dict[str, Any] = {name: value for name, value in given.items() if name in kind.options}
        self.optimizers = [kind(self.feedback, learning_rate, **settings)]

    def train_feedback(self, result: LossResult) -> None:
        """Leave ``dB_l`` for the optimizer."""
        e = result.error  # (N, K)
        for site in self.sites:
            h, B, dB = site.h.reshape(len(e), -1), self.B[site.name], self.feedback.gradient(f"{site.name}.B")
            self.backend.matmul(e.T, h, out=dB)  # (K, n); dB_l = eᵀ h_l
            if self.sparsity is not None:
                self.backend.elementwise(where_kept, (dB, B), (dB,))
        self.feedback.sum_gradients()
