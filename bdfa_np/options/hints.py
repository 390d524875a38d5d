"""What somebody may have meant by an option or a command that there is not: by its meaning, else by its letters."""

from collections.abc import Mapping, Sequence

OPTIONS: dict[str, Sequence[str]] = {
    "--lr": ("learningrate", "rate", "stepsize", "eta", "alpha"),
    "--lr-decay": ("decay", "learningratedecay"),
    "--feedback-lr": ("feedbacklearningrate", "feedbackrate"),
    "--schedule": ("scheduler", "lrschedule", "lrscheduler", "learningrateschedule", "annealing"),
    "--milestones": ("steps", "lrsteps"),
    "--warmup": ("warmupepochs", "warmupsteps"),
    "--epoch-step": ("scheduler", "lrschedule", "lrscheduler", "schedule", "steplr"),
    "--clip-norm": ("clip", "clipgrad", "gradclip", "gradientclipping", "clipgradnorm", "maxgradnorm"),
    "--patience": ("earlystopping", "earlystop", "stopafter"),
    "--keep-best": ("best", "savebest", "checkpointbest", "restorebest"),
    "--validate": ("validation", "val", "valsplit", "validationsplit", "validationfraction", "valfraction"),
    "--backend cupy": ("gpu", "cuda", "usegpu", "usecuda"),
    "--devices": ("gpus", "ngpus", "numgpus", "gpuids", "deviceids", "numdevices", "dataparallel", "distributed"),
    "--processes": ("nproc", "numprocesses", "ranks", "worldsize", "dataparallel", "distributed"),
    "--backend numpy": ("cpu", "usecpu", "nocuda", "nogpu"),
    "--batch-size": ("batch", "bs", "minibatch", "trainbatchsize"),
    "--epochs": ("maxepochs", "numepochs", "nepochs", "iterations", "iters", "maxiter"),
    "--optimization": ("optimizer", "optimiser", "optim", "solver"),
    "--num-hidden": ("hidden", "hiddensize", "hiddenunits", "hiddendim", "units", "width", "neurons"),
    "--num-layers": ("layers", "depth", "hiddenlayers", "nlayers"),
    "--network": ("model", "net", "arch", "architecture"),
    "--gradient": ("rule", "learningrule", "algorithm", "algo", "method", "feedback"),
    "--nonlin": ("nonlinearity", "activation", "activationfunction", "act"),
    "--criterion": ("loss", "lossfunction", "objective"),
    "--weight-decay": ("l2", "wd", "l2penalty", "regularization", "regularisation"),
    "--batchnorm": ("bn", "batchnormalization", "batchnormalisation"),
    "--dropout": ("drop", "dropoutrate", "dropoutprob"),
    "--normalization": ("normalize", "normalise", "normalisation", "standardize", "standardise", "scale"),
    "--whiten": ("zca", "whitening"),
    "--augment": ("augmentation", "dataaugmentation", "aug", "mirror", "flip"),
    "--dataset": ("data", "input", "file"),
    "--datapath": ("datadir", "dataroot", "datafolder", "root", "download"),
    "--cache-dir": ("cache", "cachefolder"),
    "--save": ("output", "out", "outputdir", "outdir", "savedir", "rundir", "logdir", "folder", "name", "runname"),
    "--load": ("weights", "pretrained", "checkpoint", "from", "init"),
    "--resume": ("continue", "restart", "goon"),
    "--force": ("overwrite", "replace"),
    "--workers": ("jobs", "njobs", "cores", "processes", "parallel", "numworkers", "nworkers"),
    "--threads": ("workers", "numworkers", "cores", "jobs", "numthreads", "nthreads"),
    "--seed": ("randomseed", "manualseed", "randomstate", "rng"),
    "--train-limit": ("samples", "numsamples", "subset", "ntrain", "trainsize"),
    "--test-limit": ("ntest", "testsize"),
    "--visualize 1": ("plot", "curves", "figure", "draw"),
    "--track": ("diagnostics", "measure", "monitor", "angles", "alignment", "probe"),
    "--track-every": ("trackinterval", "logevery", "loginterval", "logsteps", "evalevery", "evalinterval"),
    "--tensorboard": ("tb", "events", "tensorboarddir", "summary"),
    "--eps": ("epsilon", "adversarial"),
    "--split": ("part", "set", "subset"),
    "--help": ("usage", "options", "man"),
}
"""What an option is called elsewhere: each option as it is to be given, and other names, without their hyphens."""

COMMANDS: dict[str, Sequence[str]] = {
    "train": ("run", "fit", "learn", "start", "resume", "continue"),
    "evaluate": ("test", "eval", "validate", "score", "accuracy"),
    "plot": ("draw", "curves", "picture", "figure", "visualize", "visualise"),
    "train --dry-run": ("config", "options", "summary", "layers"),
    "predict": ("infer", "inference", "classify", "label"),
    "export": ("convert", "onnx", "saveas"),
    "report": ("html", "page", "summary", "dashboard", "write"),
    "watch": ("monitor", "follow", "live", "tail"),
    "plot --what film": ("film", "movie", "animate", "animation", "video", "gif"),
    "runs": ("list", "ls", "show", "history", "results", "compare"),
    "data list": ("list", "ls", "datasets", "dataset"),
    "data fetch": ("download", "get", "fetch"),
    "data prepare": ("prepare", "preprocess"),
    "data clear": ("clear", "clean", "delete", "rm", "remove"),
    "rules": ("rule", "gradients", "gradient", "algorithms", "algorithm", "methods"),
    "nets": ("net", "networks", "network", "models", "model", "architectures"),
    "new": ("init", "create", "template", "add"),
    "list": ("ls", "datasets", "show"),
    "fetch": ("download", "get"),
    "clear": ("clean", "delete", "rm", "remove"),
    "info": ("show", "describe", "inspect", "version", "versions", "about"),
    "help": ("man", "manual", "usage"),
    "doctor": ("check", "gpu", "cuda", "diagnose", "verify", "selftest"),
}
"""What a command is called elsewhere, likewise."""

LIKENESS = 0.7
"""How alike two names must be for one to be taken for a misspelling of the other, as `difflib` measures it."""


def meant(name: str, others: Mapping[str, Sequence[str]], there: Mapping[str, str]) -> str:
    """Ask whether somebody meant something else by a name that there is not.

    Parameters
    ----------
    name : str
        What was typed, an option with its hyphens.
    others : mapping of str to sequence of str
        `OPTIONS` or `COMMANDS`.
    there : mapping of str to str
        The spellings of all options or commands that there are where it was typed, and which one is offered for it.

    Returns
    -------
    str
        A question that ends a message, which names only what there is; empty where nothing is near.
    """
    spelled = {_plain(spelling): offered for spelling, offered in there.items()}
    offers = [spelled[_plain(name)]] if _plain(name) in spelled else []
    if not offers:
        offers = [one for one, names in others.items() if _plain(name) in names and one.split()[0] in there][:2]
    if not offers:
        from difflib import get_close_matches  # only who has mistyped waits for it

        offers = [spelled[near] for near in get_close_matches(_plain(name), spelled, n=1, cutoff=LIKENESS)]
    return f" Did you mean {' or '.join(map(repr, offers))}?" if offers else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
