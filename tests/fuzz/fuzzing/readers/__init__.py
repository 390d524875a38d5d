"""Every reader of files that the project has."""

from fuzzing.engine import Reader
from fuzzing.readers import archives, measured, own, pictures, published, runs

READERS: dict[str, type[Reader]] = {
    kind.name: kind for module in (published, archives, own, pictures, runs, measured) for kind in module.READERS
}
