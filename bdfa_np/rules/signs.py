"""Signs as signals: the formula that rules of signs share."""

from bdfa_np.backend import maths
from bdfa_np.backend.formula import formula


@formula
def scaled_sign(a, *, scale):
    """``scale · sign(a)``, and 0 where ``a`` is 0."""
    return scale * maths.sign(a)
