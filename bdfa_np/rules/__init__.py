"""Learning rules: one file each; a new rule is a new file and one line in `RULES`."""

from bdfa_np.rules.base import Rule
from bdfa_np.rules.bp import BP
from bdfa_np.rules.direct.bdfa import BDFA
from bdfa_np.rules.direct.dfa import DFA
from bdfa_np.rules.layerwise.base import Layerwise
from bdfa_np.rules.layerwise.bfa import BFA
from bdfa_np.rules.layerwise.fa import FA

RULES: dict[str, type[Rule]] = {rule.name: rule for rule in (BP, FA, DFA, BFA, BDFA)}
"""By the names that ``--gradient`` takes."""

__all__ = ["BDFA", "BFA", "BP", "DFA", "FA", "RULES", "Layerwise", "Rule"]
