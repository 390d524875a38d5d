from .curves import curves as curves
from .style import save as save
from .subjects import subjects as subjects
