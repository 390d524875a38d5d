"""Options as they are typed on a command line."""

from collections.abc import Mapping
from typing import Any

from bdfa_np.options.catalogue import OPTIONS


def words(options: Mapping[str, Any]) -> list[list[str]]:
    """Return what is to be typed for some options, each as one word or two, not yet quoted for a shell.

    Parameters
    ----------
    options : mapping
        Values by name. A switch that is off needs no word, and a rule's own options have two each.
    """
    found = []
    for name, value in options.items():
        option = OPTIONS[name]
        if option.type is dict:
            found += [["-O", f"{own}={_text(one)}"] for own, one in value.items()]
        elif option.is_flag and isinstance(value, bool):
            found += [[option.flag]] if value else []
        else:
            found.append([option.flag, _text(value)])
    return found


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
