"""Error broadcast and decorrelation: the feedback is the correlation of errors and activities."""

from dataclasses import replace
from math import prod
from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.declaration import Option, up_to_one
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.rules.direct.base import Direct
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways

LAMBDA = 0.999999

EBD_LAMBDA = Option(
    "ebd_lambda",
    None,
    f"{{owners}}: λ, how slowly R forgets.  [default: {LAMBDA:g}]",
    kind=float,
    check=up_to_one,
    keyword="forgetting",
    follows=LAMBDA,
    source="Erdogan, Pehlevan and Erdogan, arXiv 2504.11558, eq. 4-8",
)


class EBD(Direct):
    """``δ_l = (e R_l ⊙ g'(h_l)) ⊙ f'(a_l)``, ``R_l`` being the correlation of errors with ``g(h_l) = h_l``.

    An optimal estimator's errors are uncorrelated with any function of what it saw: so each block learns to lessen
    this correlation, whose running mean is updated from the batch before the signal uses it
    (Erdogan, Pehlevan and Erdogan, arXiv 2504.11558, eq. 4-8, the core without its power and entropy terms)::

        R_l ← λ R_l + (1 - λ) mean_i(ε_iᵀ h_{l,i})
        δ_l = (e R_l) ⊙ f'(a_l)

    ``ε_i`` is a sample's own error: ``e_i``, times N under ``ce`` and ``mse``. ``(1 - λ)/N · ε R_l`` is the gradient of
    ``½‖R_l‖²`` by ``h_l``; the factor is left to the rate. With λ = 1 the rule is `DFA` with the ``R`` that it began
    with.

    Parameters
    ----------
    network : Sequential
        The network to train, with an `ErrorFeedback` at the end of every hidden block.
    forgetting : float, default 0.999999
        ``λ``, within 0..1.

    Raises
    ------
    ValueError
        If the network has no feedback site, or ``λ`` is out of range.

    Notes
    -----
    ``R`` (K, n) is held as ``feedback``, and starts uniform within ±0.01·√(6/(n + K)).
    """

    name = "ebd"
    summary = "error broadcast and decorrelation: R is the correlation of errors and activities, which learning lessens"
    formula = "δ_l = (e R_l ⊙ g'(h_l)) ⊙ f'(a_l), with g(h) = h"
    trains = "W, and R by R_l ← λ R_l + (1 - λ) mean_i(ε_iᵀ h_{l,i}), before the signal uses it"
    source = "Erdogan, Pehlevan and Erdogan, 2025, arXiv 2504.11558, eq. 4-8, without its power and entropy terms"
    pathways: ClassVar[Pathways] = (Pathway("direct", (FeedbackMatrix("R", "trained", learns_from="h_l", by="εᵀh"),)),)
    options: ClassVar[tuple[Option, ...]] = (EBD_LAMBDA,)
    across_processes = True

    def __init__(self, network: Sequential, *, forgetting: float = LAMBDA) -> None:
        super().__init__(network)
        if not 0 <= forgetting <= 1:
            raise ValueError(f"λ must be within 0..1, not {forgetting}")
        self.forgetting = forgetting
        K = prod(network.output_shape)
        specs = {site: self.feedback_spec(site) for site in self.sites}
        self.hold_feedback(
            {site: replace(spec, bound=0.01 * (6 / (spec.shape[1] + K)) ** 0.5) for site, spec in specs.items()}
        )

    def backward(self, result: LossResult) -> None:
        """Update every ``R`` from the batch, then send the error through it."""
        self._correlate(result)
        super().backward(result)

    def _correlate(self, result: LossResult) -> None:
        N = self.backend.share.whole(len(result.error))
        weight = (1 - self.forgetting) / (N * result.scale)  # e / scale is ε
        fresh = weight * result.error  # (N, K)
        self.feedback.values *= self.forgetting
        with self.steps() as steps:
            for site in self.sites:
                h = site.h.reshape(len(fresh), -1)  # (N, n)
                self.backend.matmul(fresh.T, h, out=steps[site.name], accumulate=True)  # (K, n)

    def deltas(self, result: LossResult) -> dict[str, Array]:
        """Return the signals as `Rule.deltas` does; to look at them leaves ``R`` as it was."""
        held = self.feedback.values.copy()
        try:
            return super().deltas(result)
        finally:
            self.feedback.values[...] = held
