"""Data sets: finding, checking, splitting, scaling and batching them. Nothing here knows of layers or networks.

What ``__init__.pyi`` lists is imported when first used: the command line lists the data sets' names in its help without
loading NumPy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
