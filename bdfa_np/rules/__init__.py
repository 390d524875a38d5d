"""Learning rules: one file each; a new rule is a new file and one line in `RULES`."""

from bdfa_np.rules.base import Rule
from bdfa_np.rules.bdfa import BDFA
from bdfa_np.rules.bfa import BFA
from bdfa_np.rules.bp import BP
from bdfa_np.rules.dfa import DFA
from bdfa_np.rules.fa import FA

RULES: dict[str, type[Rule]] = {"bp": BP, "fa": FA, "dfa": DFA, "bfa": BFA, "bdfa": BDFA}
"""By the names that ``--gradient`` takes."""

__all__ = ["BDFA", "BFA", "BP", "DFA", "FA", "RULES", "Rule"]
