from .angles import angles as angles
from .confusion import confusion as confusion
from .curves import curves as curves
from .norms import norms as norms
from .rank import rank as rank
from .style import save as save
from .subjects import subjects as subjects
