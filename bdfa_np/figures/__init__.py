"""Pictures of runs and studies, as axes of matplotlib's; needs the extra ``plot``.

What ``__init__.pyi`` lists is imported when first used: nobody waits for matplotlib who draws nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
