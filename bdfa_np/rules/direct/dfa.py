"""Direct feedback alignment."""

from math import prod
from typing import ClassVar

from bdfa_np.declaration import Option
from bdfa_np.layers.base import Layer, ParameterSpec
from bdfa_np.network import Sequential
from bdfa_np.parameters import ParameterVector
from bdfa_np.rules.direct.base import Direct
from bdfa_np.rules.direct.feedback import OF_FIXED, Drawing
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways


class DFA(Direct):
    """``δ_l = (e B_l) ⊙ f'(a_l)`` with fixed random ``B_l`` (Nøkland, arXiv 1609.01596, eq. 7; Luo, eq. 10).

    The network's `ErrorFeedback` sites end its blocks. Each block gets the projected error at its top and goes
    backward exactly inside; nothing is computed for what lies below a block's lowest weights.

    Parameters
    ----------
    network : Sequential
        The network to train, with an `ErrorFeedback` at the end of every hidden block.
    magnitude, initial, sparsity, rank, shared
        How ``B`` is drawn, as `Drawing` has it: uniform within ±1/√n of its site's n entries unless given.

    Raises
    ------
    ValueError
        If the network has no feedback site, or ``B`` cannot be drawn so.
    """

    name = "dfa"
    summary = "direct feedback alignment: every block gets the output error through a fixed random matrix"
    formula = "δ_l = (e B_l) ⊙ f'(a_l)"
    trains = "W"
    source = "Nøkland, 2016, arXiv 1609.01596, eq. 7"
    pathways: ClassVar[Pathways] = (Pathway("direct", (FeedbackMatrix("B", "fixed"),)),)
    options: ClassVar[tuple[Option, ...]] = OF_FIXED
    starts_at_zero = True
    trains_feedback: ClassVar[bool] = False
    """Whether an optimizer trains ``B``, so that there is room for its gradient."""

    def __init__(
        self,
        network: Sequential,
        *,
        magnitude: float = 0.0,
        initial: str | None = "uniform",
        sparsity: int | None = None,
        rank: int | None = None,
        shared: bool = False,
    ) -> None:
        super().__init__(network)
        self.magnitude, self.initial = magnitude, initial or "uniform"
        self.sparsity, self.rank, self.shared = sparsity, rank, shared
        drawing = Drawing(magnitude, initial, sparsity, rank, shared)
        if shared:
            self.share_feedback()
        else:
            specs: dict[Layer, ParameterSpec] = {site: drawing.spec(self.feedback_spec(site)) for site in self.sites}
            self.hold_feedback(specs, trained=self.trains_feedback)

    def share_feedback(self) -> None:
        """Draw one ``B`` as wide as the widest site: each site's is its first columns, in the same memory."""
        widest = max((self.feedback_spec(site) for site in self.sites), key=lambda spec: spec.shape)
        self.feedback = ParameterVector({"feedback.B": widest}, self.backend, trained=False)
        self.feedback.draw(self.network.streams, "feedback")
        shared = self.feedback["feedback.B"]  # (K, n_max), uniform within ±1/√n_max
        self.B = {site.name: shared[:, : prod(site.input_shape)] for site in self.sites}
