"""A real CUDA device's memory, what waits for the device, and what becomes of labels that no loss knows."""

import numpy as np
import pytest

from bdfa_np import Config, build_model
from bdfa_np.backend import make_backend
from bdfa_np.parity.training import Case, make_trainer

pytestmark = pytest.mark.gpu

SPIN = """
__device__ long long now() {
    long long nanoseconds;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(nanoseconds));
    return nanoseconds;
}

extern "C" __global__ void spin(long long nanoseconds) {
    const long long start = now();
    while (now() - start < nanoseconds) {}
}
"""
SECOND = 1_000_000_000
OPTIONS = [
    {},
    {"augment": True},
    {"dropout": 1, "batchnorm": 1, "eps": 0.08},
    {"max_in_norm": 0.8, "max_out_norm": 0.6, "weight_decay": 0.01},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("cuda_graph", [False, True])
@pytest.mark.parametrize("rule", ["bfa", "bdfa"])
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_no_step_copies_to_the_host_or_waits_for_the_device(network, rule, cuda_graph, options):
    backend = make_backend("cupy", cuda_graph=cuda_graph)
    trainer = make_trainer(Case(network, rule, "rmsprop" if "weight_decay" in options else "adam", options), backend)
    x = backend.asarray(np.random.default_rng(0).random((6, *trainer.network.input_shape)))
    labels = backend.asarray(np.arange(6) % 4)

    def steps():
        for step in range(4):
            trainer.step(x if trainer.augment is None else trainer.augment(x, 1, step + 1), labels)

    spin = backend.xp.RawModule(code=SPIN).get_function("spin")
    reached = backend.xp.cuda.Event(disable_timing=True)
    with trainer.network.computing():
        for nanoseconds in (1, SECOND // 20, SECOND):  # first kernels are compiled, steps captured, and memory is taken
            spin((1,), (1,), (np.int64(nanoseconds),))
            reached.record(backend.stream)
            steps()
            came_back_before = not reached.done  # whoever had waited for a result would have waited for this too
            backend.synchronize()
    assert came_back_before
    assert reached.done
    assert np.isfinite(trainer.tally.loss)


class Images:
    """Three batches, the last a smaller one."""

    def __len__(self):
        return 3

    def epoch(self, number):
        generator = np.random.default_rng(number)
        for size in (6, 6, 4):
            yield generator.random((size, 15, 16, 3)), np.arange(size) % 4


@pytest.mark.parametrize("cuda_graph", [False, True])
@pytest.mark.parametrize("rule", ["bp", "bfa", "bdfa"])
def test_memory_does_not_grow_after_the_first_epochs(rule, cuda_graph):
    options = {"dropout": 1, "batchnorm": 1, "max_in_norm": 3.0}
    config = Config(network="conv", gradient=rule, backend="cupy", cuda_graph=cuda_graph, **options)
    model = build_model(config, (15, 16, 3), 4)
    trainer = model.trainer(Images(), Images())
    pool, used = model.backend.xp.get_default_memory_pool(), []
    for _ in trainer.run(4):
        model.backend.synchronize()
        used.append(pool.used_bytes())
    assert used[0] > 0
    if not cuda_graph:
        assert used[2] == used[0]
    assert used[3] == used[2] == used[1]  # graphs of both sizes of batches are recorded by the second epoch


def test_a_limit_of_memory_holds_and_is_said_in_one_line(bdfa, tiny):
    options = ["--backend", "cupy", "--num-hidden", 20_000, "--epochs", 1, "--save", "run"]
    outcome = bdfa.child("train", *tiny, *options, "--gpu-memory", 0.25)
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert line.startswith("bdfa: error: not enough memory")
    assert line.endswith("give more by --gpu-memory, or choose a smaller net, batch or data set")


def test_memory_within_the_limit_is_enough(bdfa, tiny):
    options = ["--backend", "cupy", "--epochs", 1, "--save", "run", "--gpu-memory", 0.25]
    outcome = bdfa.child("train", *tiny, *options)
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("criterion", ["bce", "ce"])
@pytest.mark.parametrize("label", [-1, 4, 2**40])
def test_a_label_that_is_out_of_range_makes_the_loss_nan_on_the_device(label, criterion):
    trainer = make_trainer(Case("mlp", options={"criterion": criterion}), make_backend("cupy"))
    backend = trainer.network.backend
    x = np.zeros((3, *trainer.network.input_shape), np.float32)
    with pytest.raises(ValueError, match=r"within 0\.\.3"):
        trainer.step(x, np.array([0, label, 1]))
    trainer.step(x, backend.asarray(np.array([0, label, 1])))
    assert np.isnan(trainer.tally.loss)
    assert trainer.tally.first_bad[0] == 1
