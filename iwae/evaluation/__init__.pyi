from .evaluation import Evaluation as Evaluation
from .evaluation import active_units as active_units
from .evaluation import active_units_kl as active_units_kl
from .evaluation import bits_per_dim as bits_per_dim
from .evaluation import evaluate as evaluate
from .evaluation import monte_carlo_error as monte_carlo_error
