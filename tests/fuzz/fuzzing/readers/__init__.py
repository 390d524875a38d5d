"""Every reader of files that the project has."""

from fuzzing.engine import Reader
from fuzzing.readers import archives, own, pictures, published, runs

READERS: dict[str, type[Reader]] = {
    kind.name: kind for module in (published, archives, own, pictures, runs) for kind in module.READERS
}
