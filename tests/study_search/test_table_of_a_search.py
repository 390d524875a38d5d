"""The table [search] is refused in one line where it could not be carried out, before anything is trained."""

import pytest

from bdfa_np.errors import StudyError

SPACE = "[search.space]\nlr = [0.1]\n"


def space(line: str) -> str:
    return f"[search]\n[search.space]\n{line}\n"


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("[search]\n", "has no space"),
        ("search = 3\n", "search"),
        ("[search]\nmethod = 'magic'\n" + SPACE, "method magic: choose from random, optuna, grid"),
        ("[search]\ntrials = 0\n" + SPACE, "trials must be a whole number from 1"),
        ("[search]\ntrials = 2.5\n" + SPACE, "trials must be a whole number from 1"),
        ("[search]\ntrials = true\n" + SPACE, "trials must be a whole number from 1"),
        ("[search]\nepochs = -1\n" + SPACE, "epochs must be a whole number from 1"),
        ("[search]\nseed = -1\n" + SPACE, "seed must be a whole number of 0 or more"),
        ("[search]\nseed = 'a'\n" + SPACE, "seed must be a whole number of 0 or more"),
        ("[search]\nper = []\n" + SPACE, "per must be a list of axes"),
        ("[search]\nper = ['width']\n" + SPACE, "unknown axis 'width': there are rule"),
        ("[search]\nlr = [0.1]\n" + SPACE, "unknown key 'lr': options stand in"),
        ("[search]\ntrails = 3\n" + SPACE, "unknown key 'trails': there are method"),
        ("[search]\nat_once = 2\n" + SPACE, "at_once is of method"),
        ("[search]\nmethod = 'grid'\ntrials = 3\n" + SPACE, "trials has no part in a grid"),
        ("[search]\nmethod = 'grid'\n[search.space]\nlr = {low = 0.1, high = 1}\n", "not a range"),
        (space("learning_rate = [0.1]"), "unknown option 'learning_rate'. Did you mean 'lr'?"),
        (space("lr = 0.1"), "a list of choices or a table"),
        (space("lr = []"), "a list of one value or more"),
        (space("lr = ['a']"), "'a' is of the wrong type: float is wanted"),
        (space("lr = [0.1, 0.1]"), "0.1 is there twice"),
        (space("lr = [-0.1]"), "must be a finite number greater than 0"),
        (space("lr = {low = 0.1}"), "'high' is missing"),
        (space("lr = {low = 0.1, high = 0.01}"), "low must be less than high, and 0.1 is not less than 0.01"),
        (space("lr = {low = 0.1, high = 0.1}"), "low must be less than high"),
        (space("weight_decay = {low = 0, high = 0.1, log = true}"), "log = true needs low and high above 0"),
        (space("lr = {low = 0.1, high = inf}"), "must be finite numbers"),
        (space("lr = {low = 0.1, high = 1, log = 1}"), "log must be true or false"),
        (space("lr = {low = 0.1, high = 1, step = 1}"), "unknown key 'step'"),
        (space("lr = {low = 0.1, high = 1, choices = [1.0]}"), "not both"),
        (space("num_hidden = {low = 1.5, high = 3}"), "int is wanted"),
        (space("nonlin = {low = 1, high = 3}"), "it is no number: give a list"),
        (space("nonlin = ['tanh', 'tan']"), "choose from"),
        (space("gradient = ['bp', 'fa']"), "make it an axis"),
        (space("dataset = ['mnist']"), "trials on other images cannot be compared"),
        (space("validate = [0.1, 0.2]"), "trials on other images cannot be compared"),
        (space("threads = [1, 2]"), "it is the machine's"),
        (space("datapath = ['a', 'b']"), "it is the machine's"),
        (space("epochs = [1, 2]"), "epochs = N of [search]"),
        (space("seed = [1, 2]"), "luck is no option"),
        (space("lr = {low = 0.1, high = 1, only = {gradient = ['dfa']}}"), "no cell has what it is for"),
        (space("lr = {low = 0.1, high = 1, only = {rule = ['dfa']}}"), "only names an unknown option 'rule'"),
        (space("lr = {low = 0.1, high = 1, only = {gradient = ['x']}}"), "x"),
        (space("mirror_lr = [0.1]"), "mirror_lr: it has a part in no cell"),
        (space("feedback_lr = [0.1]"), "cell bp: [search.space] has no option that has a part in it"),
        (space("milestones = ['3,2']"), "must be whole numbers"),
        (
            space("optimization = ['sgd', 'nag']"),
            "nag cannot be used in cell bp: --optimization nag needs a --momentum",
        ),
    ],
)
def test_a_search_that_cannot_be_is_one_line(study, tmp_path, search, said):
    with pytest.raises(StudyError) as caught:
        study(search)
    assert str(caught.value).startswith(f"{tmp_path / 's.toml'}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_cells_that_share_a_search_must_have_the_same_to_be_searched(study):
    shared = "[grid.width]\na = { num_layers = 1 }\nb = { num_layers = 2 }\n"
    with pytest.raises(StudyError, match=r"cells bp/a and bdfa/a share a search .* feedback_lr has a part in one"):
        study(shared + "[search]\nper = ['width']\n[search.space]\nlr = [0.1]\nfeedback_lr = [0.1]\n")


def test_an_axis_is_not_searched_too(study):
    with pytest.raises(StudyError, match="'lr' is an axis of the grid, and searched"):
        study("[search.space]\nlr = [0.1]\n", "[base]\ndataset = 'mnist-5k'\n[grid]\nlr = [0.1, 0.2]\n")


def test_what_another_searched_option_decides_over_may_be_searched(study):
    found = study(space("momentum = [0.0, 0.9]\ndampening = [0.0, 0.5]\noptimization = ['sgd', 'adam']"))
    assert found.search["space"]["dampening"] == [0.0, 0.5]
