"""How the ``B`` of a direct rule is drawn: dense, sparse, of low rank, or one for all sites."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bdfa_np.backend import maths
from bdfa_np.backend.base import Array
from bdfa_np.backend.formula import formula
from bdfa_np.declaration import Condition, Option, at_least, flag
from bdfa_np.layers.base import ParameterSpec, Shape
from bdfa_np.rules.options import RFB_MAG

INITIAL = ("uniform", "normal", "kaiming")

_WAYS: Mapping[str, Any] = {
    "rfb_init": None,
    "feedback_sparsity": None,
    "feedback_rank": None,
    "feedback_shared": False,
}
"""The options that say how ``B`` is drawn, one of which may be given; with what each is where it is not."""


def _is(absent: Any, value: Any, _: Any) -> bool:
    return value is absent


def _alone(name: str) -> tuple[Condition, ...]:
    """Return the conditions that none of the others is given."""
    return tuple(
        Condition(
            other,
            partial(_is, absent),
            message=f"{flag(name)} and {flag(other)} both say how B is drawn: leave one of them out",
        )
        for other, absent in _WAYS.items()
        if other != name
    )


_OWN_SIZE = Condition(
    "rfb_mag",
    lambda magnitude, _: magnitude == 0,
    message="{flag} says how large B is, and so does --rfb-mag: leave one of them out",
)

RFB_INIT = Option(
    "rfb_init",
    None,
    "How a direct rule draws B, of n columns: uniform within ±1/√n, or normal of deviation 1/√n, or --rfb-mag in place "
    "of either; kaiming is uniform within ±√(6/n).  [default: uniform]",
    kind=str,
    choices=INITIAL,
    keyword="initial",
    follows="uniform",
    conditions=(
        *_alone("rfb_init"),
        Condition(
            "rfb_mag",
            lambda magnitude, initial: magnitude == 0 or initial != "kaiming",
            message="--rfb-init kaiming says how large B is, and so does --rfb-mag: leave one of them out",
        ),
    ),
    source="kaiming: Frenkel, Lefebvre and Bol, arXiv 1909.01311, their code",
)
FEEDBACK_SPARSITY = Option(
    "feedback_sparsity",
    None,
    "Entries of B that each hidden unit keeps, of as many as there are classes; the others stay 0.",
    kind=int,
    check=at_least(1),
    keyword="sparsity",
    conditions=_alone("feedback_sparsity"),
)
FEEDBACK_RANK = Option(
    "feedback_rank",
    None,
    "Rank of B, a product of two normal matrices.",
    kind=int,
    check=at_least(1),
    keyword="rank",
    conditions=(*_alone("feedback_rank"), _OWN_SIZE),
)
FEEDBACK_SHARED = Option(
    "feedback_shared",
    False,
    "Draw one B as wide as the widest block; each takes its first columns.",
    is_flag=True,
    keyword="shared",
    conditions=(*_alone("feedback_shared"), _OWN_SIZE),
)

OF_TRAINED = (RFB_MAG, RFB_INIT, FEEDBACK_SPARSITY)
"""The options of a rule that trains ``B``: what it learns would leave no low rank, and no two sites alike."""
OF_FIXED = (*OF_TRAINED, FEEDBACK_RANK, FEEDBACK_SHARED)
"""The options of a rule whose ``B`` is fixed."""


@dataclass(frozen=True)
class Drawing:
    """How ``B`` (K, n) is drawn: one of these ways, each with ``E[B²]`` of the order of 1/n.

    Parameters
    ----------
    magnitude : float, default 0
        Uniform within ±magnitude, or normal of this standard deviation; 0 takes what follows from the size.
    initial : {"uniform", "normal", "kaiming"}, default "uniform"
        Uniform within ±1/√n, normal of standard deviation 1/√n, or uniform within ±√(6/n); None is ``"uniform"``.
    sparsity : int, optional
        Each column keeps so many of its K entries, which are uniform within ±1/√(n/√(K·sparsity)).
    rank : int, optional
        The product of two matrices of N(0, 1), (K, rank) and (rank, n), over √(rank·n).
    shared : bool, default False
        One matrix for all sites, as wide as the widest, n_max: uniform within ±1, over √n_max; a site takes its first
        n columns.

    Raises
    ------
    ValueError
        If more than one of ``initial``, ``sparsity``, ``rank`` and ``shared`` is given, or one of no use.
    """

    magnitude: float = 0.0
    initial: str | None = "uniform"
    sparsity: int | None = None
    rank: int | None = None
    shared: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.initial not in (None, *INITIAL):
            raise ValueError(f"unknown initial {self.initial!r}: choose from {', '.join(INITIAL)}")
        ways = {"sparsity": self.sparsity, "rank": self.rank, "shared": self.shared or None}
        given = [name for name, value in ways.items() if value is not None]
        given += ["initial"] if self.initial not in (None, "uniform") else []
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} each say how B is drawn: give one of them")
        if self.magnitude and (self.rank or self.shared or self.initial == "kaiming"):
            raise ValueError(f"{given[0]} says how large B is, and so does magnitude: give one of them")

    def spec(self, default: ParameterSpec) -> ParameterSpec:
        """Return the shape and initial values of one site's ``B``.

        Parameters
        ----------
        default : ParameterSpec
            As the site has it.

        Raises
        ------
        ValueError
            If ``B`` has fewer rows than it is to keep entries in a column, or than its rank.
        """
        K, n = default.shape
        for name, wanted in (("feedback-sparsity", self.sparsity), ("feedback-rank", self.rank)):
            if wanted is not None and not 1 <= wanted <= K:
                raise ValueError(
                    f"--{name} {wanted} is out of range: B has a row for each of {K} outputs, give 1 to {K}"
                )
        if self.rank:
            return replace(default, draw=partial(of_rank, rank=self.rank))
        if self.sparsity:
            bound = self.magnitude or (n / (K * self.sparsity) ** 0.5) ** -0.5
            return replace(default, draw=partial(sparse, kept=self.sparsity, bound=bound))
        if self.initial == "normal":
            return replace(default, draw=partial(normal, deviation=self.magnitude or n**-0.5))
        return replace(default, bound=(6 / n) ** 0.5 if self.initial == "kaiming" else self.magnitude or n**-0.5)


def normal(generator: Any, shape: Shape, *, deviation: float) -> Array:
    """Return normal numbers around 0."""
    return generator.normal(0, deviation, shape)


def sparse(generator: Any, shape: Shape, *, kept: int, bound: float) -> Array:
    """Return a matrix of numbers within ±bound, of which each column keeps some; the others are 0."""
    keeps = generator.random(shape).argsort(axis=0) < kept  # in each column an order of its own
    return generator.uniform(-bound, bound, shape) * keeps


def of_rank(generator: Any, shape: Shape, *, rank: int) -> Array:
    """Return ``U V / √(rank·n)``, with N(0, 1) in ``U`` (K, rank) and ``V`` (rank, n)."""
    K, n = shape
    return generator.normal(size=(K, rank)) @ generator.normal(size=(rank, n)) / (rank * n) ** 0.5


@formula
def where_kept(dB, B):
    """``dB`` where a sparse ``B`` has an entry, and 0 where it has none."""
    return maths.where(maths.abs(B) > 0, dB, 0)
