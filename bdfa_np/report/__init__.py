"""One page about runs or a study, which needs nothing else; needs the extra ``report``."""
