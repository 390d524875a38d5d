from .curves import curves as curves
from .digits import digits as digits
from .embedding import embedding as embedding
from .errors import errors as errors
from .features import features as features
from .feedback import feedback as feedback
from .style import save as save
from .subjects import subjects as subjects
