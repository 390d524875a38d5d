"""What the options of several processes do to a run; `test_options.py` has the others."""

import numpy as np
import pytest

from bdfa_np import train
from bdfa_np.errors import ConfigError

NET = """
from bdfa_np import BatchNorm, ErrorFeedback, Flatten, Linear, Sequential, Tanh


def build(config, input_shape, num_classes, rng, backend):
    layers = [Flatten(), Linear(8, bias=False), BatchNorm(), Tanh(), ErrorFeedback(), Linear(num_classes)]
    return Sequential(layers, input_shape, backend=backend, rng=rng)
"""


@pytest.fixture
def trained(tmp_path):
    (tmp_path / "normalised.py").write_text(NET)
    options = {"dataset": "mnist-5k", "network": str(tmp_path / "normalised.py"), "gradient": "dfa", "lr": 1e-2}
    options |= {"train_limit": 200, "test_limit": 50, "epochs": 2, "threads": 1, "backend": "numpy", "progress": False}

    def result(**more):
        return train(**options, **more)

    return result


def test_of_processes__so_many_share_every_batch_and_come_to_the_same_but_for_rounding(trained, tmp_path):
    one, two = trained(), trained(processes=2, save=tmp_path / "run")
    np.testing.assert_allclose(two.model.network.weights.values, one.model.network.weights.values, rtol=0, atol=1e-4)
    assert [record.test_error for record in two.history] == [record.test_error for record in one.history]
    log = (tmp_path / "run" / "Log.txt").read_text(encoding="utf-8")
    assert "2 processes, each with a share of every batch" in log


def test_of_bn_local__each_process_normalises_by_its_own_share(trained):
    whole, local = trained(processes=2), trained(processes=2, bn_local=True)
    assert local.history[-1].train_loss != pytest.approx(whole.history[-1].train_loss, rel=1e-4)
    averages = [result.model.network["batchnorm1"].running_variance for result in (whole, local)]
    np.testing.assert_allclose(averages[0], averages[1], rtol=0.3)
    assert (averages[0] != averages[1]).any()
    with pytest.raises(ConfigError, match=r"--bn-local is for several processes, and this is one"):
        trained(bn_local=True)
    with pytest.raises(ConfigError, match=r"each of which normalises by 2 samples or more"):
        trained(processes=2, bn_local=True, batch_size=3)
