from .bounds import analytic_elbo as analytic_elbo
from .bounds import elbo as elbo
from .bounds import iwae_bound as iwae_bound
from .bounds import log_weights as log_weights
from .objectives import bound as bound
from .objectives import objective as objective
