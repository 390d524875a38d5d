"""What bfa cannot generate through is refused in one line that names the layer."""

import pytest

from bdfa_np import BFA, AvgPool2d, Flatten, GlobalAvgPool, LayerNorm, Linear, Patches, Sequential, Transpose


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda: AvgPool2d(2), "avgpool1"),
        (GlobalAvgPool, "globalavgpool1"),
        (LayerNorm, "layernorm1"),
        (lambda: Patches(2), "patches1"),
    ],
)
def test_bfa_refuses(layer, name):
    network = Sequential([layer(), Flatten(), Linear(3)], (4, 4, 2))
    with pytest.raises(ValueError, match=f"^bfa cannot generate through {name}$"):
        BFA(network)


def test_bfa_refuses_tokens_that_are_transposed():
    with pytest.raises(ValueError, match=r"^bfa cannot generate through transpose1$"):
        BFA(Sequential([Transpose(), Flatten(), Linear(3)], (4, 4)))
