"""bdfa-np: learning with feedback alignment, from scratch, on NumPy.

The public names, which ``__init__.pyi`` lists, are imported when first used, so that ``import bdfa_np`` and the command
line stay quick.
"""

import lazy_loader

from bdfa_np.system.checkout import find_folders_beside

__version__ = "0.1.0"

find_folders_beside(__file__)
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
