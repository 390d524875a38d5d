"""Direct feedback alignment."""

from typing import ClassVar

from bdfa_np.declaration import Option
from bdfa_np.network import Sequential
from bdfa_np.rules.direct.base import Direct
from bdfa_np.rules.options import RFB_MAG


class DFA(Direct):
    """``δ_l = (e B_l) ⊙ f'(a_l)`` with fixed random ``B_l`` (Nøkland, arXiv 1609.01596, eq. 7; Luo eq. 10).

    The network's `ErrorFeedback` sites end its blocks. Each block gets the projected error at its top and goes
    backward exactly inside; nothing is computed for what lies below a block's lowest weights.

    Parameters
    ----------
    network : Sequential
        The network to train, with an `ErrorFeedback` at the end of every hidden block.
    magnitude : float, default 0
        ``B`` is uniform within ±magnitude; 0 takes ±1/√n of its site's n entries.

    Raises
    ------
    ValueError
        If the network has no feedback site.
    """

    name = "dfa"
    summary = "direct feedback alignment: every block gets the output error through a fixed random matrix"
    formula = "δ_l = (e B_l) ⊙ f'(a_l)"
    trains = "W"
    source = "Nøkland, 2016, arXiv 1609.01596, eq. 7"
    options: ClassVar[tuple[Option, ...]] = (RFB_MAG,)
    starts_at_zero = True

    def __init__(self, network: Sequential, *, magnitude: float = 0.0) -> None:
        super().__init__(network)
        self.magnitude = magnitude
        self.draw_feedback(self.sites, magnitude)
