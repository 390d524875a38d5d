"""How the feedback of direct rules is drawn."""

import numpy as np
import pytest

from bdfa_np import BDFA, DFA, DRTP, SDFA, Config, ErrorFeedback, Linear, Sequential, Tanh, build_model
from bdfa_np.backend.cuda.backend import CupyBackend
from bdfa_np.errors import ConfigError
from bdfa_np.losses import LOSSES, CrossEntropy
from bdfa_np.random_streams import Streams
from bdfa_np.rules.direct.feedback import of_rank

pytest_plugins = ["cuda_fixtures"]

K, WIDTHS = 10, (900, 400)
DIRECT = [DFA, SDFA, DRTP, BDFA]


@pytest.fixture(scope="module")
def network():
    sizes = [layer for n in WIDTHS for layer in (Linear(n), Tanh(), ErrorFeedback())]
    return Sequential([*sizes, Linear(K)], (4,), rng=8)


def each(rule):
    """Yield the B of each site and its width."""
    yield from zip(rule.B.values(), WIDTHS, strict=True)


@pytest.mark.parametrize("rule", DIRECT)
def test_without_an_option_it_is_drawn_as_ever(network, rule):
    for number, (B, n) in enumerate(each(rule(network)), start=1):
        expected = Streams(8).generator("feedback", f"feedback{number}.B").uniform(-1, 1, (K, n)) * n**-0.5
        assert (expected.astype(np.float32) == B).all()


@pytest.mark.parametrize("rule", DIRECT)
def test_normal_numbers_have_the_deviation_of_the_size_or_the_one_given(network, rule):
    for magnitude in (0.0, 0.3):
        for B, n in each(rule(network, initial="normal", magnitude=magnitude)):
            deviation = magnitude or n**-0.5
            assert B.std() == pytest.approx(deviation, rel=0.05)
            assert np.abs(B).max() > 3 * deviation  # no uniform number is beyond 1.74 of its own
            assert abs(B.mean()) < 0.08 * deviation


@pytest.mark.parametrize("rule", DIRECT)
def test_kaiming_is_uniform_within_the_root_of_six_over_the_width(network, rule):
    for B, n in each(rule(network, initial="kaiming")):
        assert 0.99 * (6 / n) ** 0.5 < np.abs(B).max() <= np.float32((6 / n) ** 0.5)
        assert B.std() == pytest.approx((2 / n) ** 0.5, rel=0.05)


@pytest.mark.parametrize("kept", [1, 3, K])
@pytest.mark.parametrize("rule", DIRECT)
def test_every_hidden_unit_keeps_so_many_entries_of_a_sparse_one(network, rule, kept):
    for B, n in each(rule(network, sparsity=kept)):
        bound = 1 / np.sqrt(n / np.sqrt(K * kept))
        assert (np.count_nonzero(B, axis=0) == kept).all()
        spread = np.sqrt(n * kept / K * (1 - kept / K))
        assert (np.abs(np.count_nonzero(B, axis=1) - n * kept / K) <= 4.5 * spread).all()  # no class is preferred
        assert 0.97 * bound < np.abs(B).max() <= np.float32(bound)
        assert B[B != 0].std() == pytest.approx(bound / np.sqrt(3), rel=0.08)
        assert abs(B[B != 0].mean()) < 0.1 * bound


def test_the_entries_that_are_kept_may_be_of_a_size_of_ones_choice(network):
    for B, _ in each(DFA(network, sparsity=2, magnitude=0.3)):
        assert 0.29 < np.abs(B).max() <= np.float32(0.3)


@pytest.mark.parametrize("rank", [1, 4, K])
@pytest.mark.parametrize("rule", [DFA, SDFA, DRTP])
def test_one_of_low_rank_has_that_rank_and_entries_of_the_usual_size(network, rule, rank):
    for B in rule(network, rank=rank).B.values():
        singular = np.linalg.svd(B, compute_uv=False)
        assert (singular > 1e-5 * singular[0]).sum() == rank
    generator = np.random.default_rng(rank)
    squares = [(of_rank(generator, (K, 300), rank=rank) ** 2).mean() * 300 for _ in range(200)]
    assert np.mean(squares) == pytest.approx(1, rel=0.1)


def seeded(seed):
    sizes = [layer for n in WIDTHS for layer in (Linear(n), Tanh(), ErrorFeedback())]
    return Sequential([*sizes, Linear(K)], (1,), rng=seed)


@pytest.mark.parametrize("rule", [DFA, SDFA, DRTP])
def test_a_shared_one_is_as_wide_as_the_widest_site_and_each_takes_its_first_columns(network, rule):
    shared = rule(network, shared=True)
    assert {name: B.shape for name, B in shared.feedback.state().items()} == {"feedback.B": (K, max(WIDTHS))}
    B = shared.feedback["feedback.B"]
    bound = max(WIDTHS) ** -0.5
    assert 0.99 * bound < np.abs(B).max() <= np.float32(bound)
    assert B.std() == pytest.approx(bound / np.sqrt(3), rel=0.05)
    for own, n in each(shared):
        assert np.shares_memory(own, B)
        assert (own == B[:, :n]).all()


def test_a_signal_goes_through_the_columns_of_a_shared_one(backend):
    layers = [Linear(3), Tanh(), ErrorFeedback(), Linear(7), Tanh(), ErrorFeedback(), Linear(4)]
    network = Sequential(layers, (5,), backend=backend)
    rule = DFA(network, shared=True)
    x, labels = np.random.default_rng(1).normal(size=(6, 5)), np.arange(6) % 4
    deltas = rule.deltas(CrossEntropy(backend)(network.forward(x), labels))
    B = rule.feedback["feedback.B"]
    np.testing.assert_allclose(deltas["tanh1"], rule.result.error @ B[:, :3], rtol=1e-12)
    np.testing.assert_allclose(deltas["tanh2"], rule.result.error @ B, rtol=1e-12)


WAYS = [{"initial": "normal"}, {"initial": "kaiming"}, {"sparsity": 2}, {"rank": 2}]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_each_site_draws_from_a_generator_of_its_own(network, way):
    sizes = [layer for n in (*WIDTHS, 30) for layer in (Linear(n), Tanh(), ErrorFeedback())]
    deeper = DFA(Sequential([*sizes, Linear(K)], (4,), rng=8), **way)
    for (name, B), other in zip(DFA(network, **way).B.items(), deeper.B.values(), strict=False):
        assert (other == B).all(), name
    first, second = (B[:, :30] for B in list(deeper.B.values())[1:])
    assert (first != second).any()
    other_seed = DFA(seeded(9), **way)
    assert all((other != B).any() for B, other in zip(deeper.B.values(), other_seed.B.values(), strict=False))


OPTIONS = [
    {"rfb_init": "normal", "rfb_mag": 0.2},
    {"rfb_init": "kaiming"},
    {"feedback_sparsity": 2},
    {"feedback_sparsity": 2, "rfb_mag": 0.2},
    {"feedback_rank": 2},
    {"feedback_shared": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_an_option_of_a_run_says_what_the_rule_is_told(options):
    model = build_model(Config(gradient="dfa", num_hidden=9, **options), (6, 5, 1), 4)
    keywords = {"rfb_init": "initial", "rfb_mag": "magnitude"}
    told = {keywords.get(name, name.removeprefix("feedback_")): value for name, value in options.items()}
    other = DFA(model.network, **told)
    assert list(model.rule.feedback) == list(other.feedback)
    assert (model.rule.feedback.values == other.feedback.values).all()
    assert model.config.resolve() == model.config  # what follows is what a resumed run reads
    assert (model.config.rfb_init is None) == ("rfb_init" not in options and "feedback_" in str(options))


@pytest.mark.parametrize(
    ("rule", "given", "line"),
    [
        (DFA, {"sparsity": 2, "rank": 2}, "sparsity and rank each say how B is drawn: give one of them"),
        (DRTP, {"shared": True, "initial": "normal"}, "shared and initial each say how B is drawn: give one of them"),
        (SDFA, {"rank": 2, "magnitude": 0.1}, "rank says how large B is, and so does magnitude: give one of them"),
        (BDFA, {"initial": "kaiming", "magnitude": 0.1}, "initial says how large B is, and so does magnitude"),
        (DFA, {"initial": "orthogonal"}, "unknown initial 'orthogonal': choose from uniform, normal, kaiming"),
        (
            DFA,
            {"sparsity": 11},
            "--feedback-sparsity 11 is out of range: B has a row for each of 10 outputs, give 1 to",
        ),
        (DFA, {"sparsity": 0}, "--feedback-sparsity 0 is out of range"),
        (DFA, {"rank": 11}, "--feedback-rank 11 is out of range: B has a row for each of 10 outputs, give 1 to 10"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(network, rule, given, line):
    with pytest.raises(ValueError, match=rf"^{line}"):
        rule(network, **given)


BOTH = "both say how B is drawn: leave one of them out"
REFUSED = [
    ("dfa", {"feedback_rank": 2, "feedback_sparsity": 2}, f"--feedback-sparsity and --feedback-rank {BOTH}"),
    ("dfa", {"feedback_rank": 2, "feedback_shared": True}, f"--feedback-rank and --feedback-shared {BOTH}"),
    ("sdfa", {"feedback_shared": True, "feedback_sparsity": 2}, f"--feedback-sparsity and --feedback-shared {BOTH}"),
    ("drtp", {"feedback_shared": True, "rfb_init": "normal"}, f"--rfb-init and --feedback-shared {BOTH}"),
    ("bdfa", {"feedback_sparsity": 2, "rfb_init": "uniform"}, f"--rfb-init and --feedback-sparsity {BOTH}"),
    ("dfa", {"feedback_rank": 2, "rfb_mag": 0.1}, "--feedback-rank says how large B is, and so does --rfb-mag"),
    ("dfa", {"feedback_shared": True, "rfb_mag": 0.1}, "--feedback-shared says how large B is, and so does --rfb-mag"),
    ("dfa", {"rfb_init": "kaiming", "rfb_mag": 0.1}, "--rfb-init kaiming says how large B is, and so does --rfb-mag"),
    ("bdfa", {"feedback_rank": 2}, "--feedback-rank has no part in --gradient bdfa, only in dfa"),
    ("bdfa", {"feedback_shared": True}, "--feedback-shared has no part in --gradient bdfa, only in dfa"),
    ("dfa", {"feedback_rank": 0}, "--feedback-rank must be a whole number of 1 or more, not 0"),
    ("dfa", {"feedback_sparsity": -1}, "--feedback-sparsity must be a whole number of 1 or more, not -1"),
    ("dfa", {"rfb_init": "xavier"}, "--rfb-init xavier: choose from uniform, normal, kaiming"),
    *(
        (rule, {name: value}, f"--{name.replace('_', '-')} has no part in --gradient {rule}")
        for rule in ("frozen", "fa", "bp")
        for name, value in {
            "feedback_sparsity": 2,
            "feedback_rank": 2,
            "feedback_shared": True,
            "rfb_init": "normal",
        }.items()
    ),
]


@pytest.mark.parametrize(("rule", "given", "line"), REFUSED)
def test_options_that_have_no_part_are_refused_in_one_line(rule, given, line):
    with pytest.raises(ConfigError) as caught:
        Config(gradient=rule, **given).resolve()
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_more_entries_than_classes_are_refused_where_the_classes_are_known():
    config = Config(gradient="dfa", feedback_sparsity=5)
    with pytest.raises(ConfigError, match=r"--feedback-sparsity 5 is out of range: B has a row for each of 4 outputs"):
        build_model(config, (6, 5, 1), 4)


@pytest.mark.parametrize("criterion", ["bce", "ce"])
@pytest.mark.parametrize("target", ["torch", "label", "mixed", "centred"])
def test_the_entries_that_a_sparse_one_has_not_stay_zero_where_bdfa_trains_it(backend, target, criterion):
    layers = [Linear(30), Tanh(), ErrorFeedback(), Linear(20), Tanh(), ErrorFeedback(), Linear(4)]
    network = Sequential(layers, (5,), backend=backend)
    rule, dense = BDFA(network, sparsity=2, target=target, learning_rate=0.1), BDFA(network, target=target)
    before = {name: B.copy() for name, B in rule.B.items()}
    for name, B in dense.B.items():
        B[...] = before[name]
    dense.learning_rate = 0.1
    x, labels = np.random.default_rng(1).normal(size=(6, 5)), np.arange(6) % 4
    result = LOSSES[criterion](backend)(network.forward(x), labels)
    for learner in (rule, dense):
        learner.train_feedback(result)
    for name, B in rule.B.items():
        kept = before[name] != 0
        assert (B[~kept] == 0).all()
        np.testing.assert_allclose(B[kept], dense.B[name][kept], rtol=1e-12)
        assert (B[kept] != before[name][kept]).all()


def test_a_run_with_each_way_of_drawing_is_resumed_bit_for_bit(bdfa, result, tmp_path):
    for number, options in enumerate(
        (["--gradient", "bdfa", "--feedback-sparsity", 2], ["--gradient", "sdfa", "--feedback-shared"])
    ):
        rate = ["--lr", "1e-2", "--optimization", "adam", "--num-layers", 2]
        bdfa.train(f"whole{number}", *options, *rate, "--epochs", 2)
        bdfa.train(f"parts{number}", *options, *rate, "--epochs", 1)
        bdfa.resume(f"parts{number}", "--epochs", 2)
        assert result(tmp_path / f"parts{number}") == result(tmp_path / f"whole{number}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_product_on_cuda_takes_the_first_columns_of_a_matrix_and_no_others(stand_in, dtype):
    cuda = CupyBackend(dtype)
    generator = np.random.default_rng(3)
    e, B = generator.normal(size=(6, 4)).astype(dtype), generator.normal(size=(4, 9)).astype(dtype)
    left, right = cuda.asarray(e), cuda.asarray(B)
    out = cuda.matmul(left, right[:, :5], out=cuda.empty((6, 5)))
    np.testing.assert_allclose(cuda.to_host(out), e @ B[:, :5], rtol=1e-5)
    with pytest.raises(ValueError, match="contiguous matrices, their transposes, and the first columns"):
        cuda.matmul(left, right[:, :8:2], out=cuda.empty((6, 4)))
