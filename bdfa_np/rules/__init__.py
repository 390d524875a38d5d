"""Learning rules: one file each; a new rule is a new file and one line in `RULES`."""

from bdfa_np.rules.base import Rule
from bdfa_np.rules.bp import BP
from bdfa_np.rules.direct.base import Direct
from bdfa_np.rules.direct.bdfa import BDFA
from bdfa_np.rules.direct.dfa import DFA
from bdfa_np.rules.direct.dkp import DKP
from bdfa_np.rules.direct.drtp import DRTP
from bdfa_np.rules.direct.ebd import EBD
from bdfa_np.rules.direct.fdfa import FDFA
from bdfa_np.rules.direct.frozen import Frozen
from bdfa_np.rules.direct.ifa import IFA
from bdfa_np.rules.direct.sdfa import SDFA
from bdfa_np.rules.layerwise.base import Layerwise
from bdfa_np.rules.layerwise.bfa import BFA
from bdfa_np.rules.layerwise.brsf import BRSF
from bdfa_np.rules.layerwise.fa import FA
from bdfa_np.rules.layerwise.frsf import FRSF
from bdfa_np.rules.layerwise.kp import KP
from bdfa_np.rules.layerwise.pfa import PFA
from bdfa_np.rules.layerwise.usf import USF
from bdfa_np.rules.layerwise.wm import WM

RULES: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (
        *(BP, FA, DFA, BFA, BDFA),
        *(USF, BRSF, FRSF, KP, WM, PFA),
        *(SDFA, DRTP, DKP, IFA, FDFA, EBD, Frozen),
    )
}
"""By the names that ``--gradient`` takes."""

GROUPS: dict[str, str] = {
    "exact": "The exact gradient",
    "layerwise": "Layerwise: the signal passes every layer, through a matrix other than the transposed weights",
    "direct": "Direct: the output error goes to each block's end at once",
    "control": "Controls: what tells whether a rule trains hidden layers at all",
}
"""Titles of what rules are listed under, by `Rule.group`, in the order of the list."""

__all__ = [
    "BDFA",
    "BFA",
    "BP",
    "BRSF",
    "DFA",
    "DKP",
    "DRTP",
    "EBD",
    "FA",
    "FDFA",
    "FRSF",
    "GROUPS",
    "IFA",
    "KP",
    "PFA",
    "RULES",
    "SDFA",
    "USF",
    "WM",
    "Direct",
    "Frozen",
    "Layerwise",
    "Rule",
]
