"""PyTorch as an independent truth for forward passes, gradients and optimizer paths; run with ``-m oracle``."""

import numpy as np
import pytest

from bdfa_np import Config, build_model
from bdfa_np.optim import ASGD, OPTIMIZERS

pytestmark = pytest.mark.oracle

TOLERANCE = {"float32": 2e-5, "float64": 1e-10}
X = np.random.default_rng(0).random((16, 6, 5, 2))
LABELS = np.random.default_rng(1).integers(0, 10, size=16)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")


def agree(actual, expected, tolerance):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def make_model(gradient, nonlin, criterion, dtype):
    config = Config(gradient=gradient, nonlin=nonlin, criterion=criterion, num_hidden=40, num_layers=3, seed=3)
    model = build_model(config, X.shape[1:], 10, dtype=dtype)
    generator = np.random.default_rng(2)
    for name in model.network.weights:  # also where the rule would start from zero
        view = model.network.weights[name]
        view[...] = generator.normal(size=view.shape) / np.sqrt(len(view))
    return model


def torch_forward(torch, model, nonlin):
    """Return PyTorch's logits, its leaf parameters by name, and the pre-activations and activities."""
    function = {"tanh": torch.tanh, "sigm": torch.sigmoid, "relu": torch.relu}[nonlin]
    leaves = {name: torch.tensor(model.network.weights[name], requires_grad=True) for name in model.network.weights}
    h = torch.tensor(X.astype(model.backend.dtype)).reshape(16, -1)
    pre, activities = [], [h]
    for number in range(1, 4):
        a = h @ leaves[f"linear{number}.W"] + leaves[f"linear{number}.b"]
        h = function(a)
        pre.append(a)
        activities.append(h)
    return h @ leaves["linear4.W"] + leaves["linear4.b"], leaves, pre, activities


def torch_loss(torch, logits, criterion):
    """Return the loss whose gradient is the error handed to the rules: bce is summed, the others averaged."""
    labels = torch.tensor(LABELS)
    if criterion == "ce":
        return torch.nn.functional.cross_entropy(logits, labels)
    target = torch.nn.functional.one_hot(labels, 10).to(logits.dtype)
    if criterion == "mse":  # whose error is half the gradient of the sum of squares, a mean over the batch
        return torch.nn.functional.mse_loss(logits, target, reduction="sum") / (2 * len(logits))
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="sum")


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("criterion", ["bce", "ce", "mse"])
@pytest.mark.parametrize("nonlin", ["tanh", "sigm", "relu"])
def test_forward_loss_and_back_propagation_agree_with_autograd(torch, nonlin, criterion, dtype):
    model = make_model("bp", nonlin, criterion, dtype)
    logits, leaves, _, _ = torch_forward(torch, model, nonlin)
    loss = torch_loss(torch, logits, criterion)
    loss.backward()
    ours = model.network.forward(X)
    result = model.loss(ours, LABELS)
    model.rule.backward(result)
    agree(ours, logits.detach(), TOLERANCE[dtype])
    agree(result.value * {"bce": ours.size, "ce": 1, "mse": 10 / 2}[criterion], loss.item(), TOLERANCE[dtype])
    for name, leaf in leaves.items():
        agree(model.network.weights.gradient(name), leaf.grad, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("criterion", ["bce", "ce", "mse"])
@pytest.mark.parametrize("nonlin", ["tanh", "sigm", "relu"])
@pytest.mark.parametrize("rule", ["fa", "dfa"])
def test_feedback_alignment_agrees_with_its_formulas_in_pytorch(torch, rule, nonlin, criterion, dtype):
    model = make_model(rule, nonlin, criterion, dtype)
    logits, _, pre, activities = torch_forward(torch, model, nonlin)
    e = torch.autograd.grad(torch_loss(torch, logits, criterion), logits, retain_graph=True)[0]
    B = {name: torch.tensor(model.rule.feedback[name]) for name in model.rule.feedback}
    delta, deltas = e, {4: e}
    for number in (3, 2, 1):
        h, a = activities[number], pre[number - 1]
        carried = delta @ B[f"linear{number + 1}.B"].T if rule == "fa" else e @ B[f"feedback{number}.B"]
        delta = deltas[number] = torch.autograd.grad(h, a, carried, retain_graph=True)[0]
    model.rule.backward(model.loss(model.network.forward(X), LABELS))
    for number, delta in deltas.items():
        agree(model.network[f"linear{number}"].dW, activities[number - 1].detach().T @ delta, TOLERANCE[dtype])
        agree(model.network[f"linear{number}"].db, delta.sum(0), TOLERANCE[dtype])


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adamw"])
def test_optimizer_paths_agree_with_pytorchs_where_the_formula_is_the_same(torch, name, weight_decay):
    model = build_model(Config(gradient="bp", num_hidden=20), (4, 4, 1), 3, dtype="float64")
    vector = model.network.weights
    reference = torch.tensor(vector.values, requires_grad=True)
    kinds = {
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
    }
    theirs = kinds[name]([reference], lr=1e-2, weight_decay=weight_decay)
    ours = OPTIMIZERS[name]([vector], 1e-2, weight_decay=weight_decay)
    generator = np.random.default_rng(0)
    for _ in range(20):
        # Adam's epsilon stands elsewhere in Torch7 than in PyTorch: gradients this large make it count for little.
        # AdamW's stands where PyTorch has it: so small that it counts for half of the denominator.
        size = 1e-8 if name == "adamw" else 1e3
        gradient = size * generator.uniform(1, 2, vector.values.shape) * generator.choice([-1, 1], vector.values.shape)
        vector.gradients[...] = gradient
        reference.grad = torch.tensor(gradient)
        ours.step()
        theirs.step()
    agree(vector.values, reference.detach(), 1e-9 if name == "adam" else 1e-12)


@pytest.mark.parametrize("dampening", [None, 0.0, 0.3])
def test_sgd_with_momentum_agrees_with_pytorch_at_the_same_dampening(torch, dampening):
    model = build_model(Config(gradient="bp", num_hidden=20), (4, 4, 1), 3, dtype="float64")
    vector = model.network.weights
    reference = torch.tensor(vector.values, requires_grad=True)
    theirs_has = 0.9 if dampening is None else dampening
    theirs = torch.optim.SGD([reference], lr=1e-2, momentum=0.9, dampening=theirs_has, weight_decay=0.01)
    ours = OPTIMIZERS["sgd"]([vector], 1e-2, momentum=0.9, dampening=dampening, weight_decay=0.01)
    for seed in range(20):
        gradient = np.random.default_rng(seed).normal(size=vector.values.shape)
        vector.gradients[...] = gradient
        reference.grad = torch.tensor(gradient)
        ours.step()
        theirs.step()
    agree(vector.values, reference.detach(), 1e-12)


NAMESAKES = {
    "adagrad": ("Adagrad", {"lr_decay": 0.05}, {"lr_decay": 0.05}),
    "adadelta": ("Adadelta", {"rho": 0.9, "eps": 1e-6}, {}),
    "adamax": ("Adamax", {"eps": 1.2e-38}, {}),
    "asgd": ("ASGD", {"lambd": 1e-4, "alpha": 0.75, "t0": 5}, {}),
    "rprop": ("Rprop", {"etas": (0.5, 1.2), "step_sizes": (1e-6, 50)}, {}),
    "nag": ("SGD", {"momentum": 0.9, "nesterov": True}, {"momentum": 0.9}),
}


@pytest.mark.parametrize(
    ("name", "weight_decay"),
    [(name, decay) for name in NAMESAKES for decay in (0.0, 0.01) if (name, decay) != ("rprop", 0.01)],
)
def test_optimizers_with_the_same_formula_in_pytorch_take_the_same_path(torch, name, weight_decay, monkeypatch):
    monkeypatch.setattr(ASGD, "average_from", 5)
    kind, their_options, options = NAMESAKES[name]
    if weight_decay:
        options, their_options = ({**each, "weight_decay": weight_decay} for each in (options, their_options))
    model = build_model(Config(gradient="bp", num_hidden=20), (4, 4, 1), 3, dtype="float64")
    vector = model.network.weights
    reference = torch.tensor(vector.values, requires_grad=True)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # in which PyTorch keeps the rate of ASGD
    theirs = getattr(torch.optim, kind)([reference], lr=1e-2, **their_options)
    ours = OPTIMIZERS[name]([vector], 1e-2, **options)
    generator = np.random.default_rng(0)
    try:
        for _ in range(20):
            ours.look_ahead()
            # PyTorch keeps the look-ahead point where Torch7 keeps the iterate: θ = w + μ v has the same
            # gradients, and θ' = θ - rate · g + μ v' is what its SGD does with nesterov.
            agree(vector.values, reference.detach(), 1e-12)
            gradient = generator.normal(size=vector.values.shape) + vector.values
            vector.gradients[...] = gradient
            reference.grad = torch.tensor(gradient)
            ours.step()
            theirs.step()
    finally:
        torch.set_default_dtype(default)
    ours.look_ahead()
    agree(vector.values, reference.detach(), 1e-12)
    if name == "asgd":
        agree(ours.state()["0.ax"], theirs.state[reference]["ax"], 1e-12)
