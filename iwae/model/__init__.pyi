from .build import build_model as build_model
from .densities import LogDensities as LogDensities
from .densities import Posterior as Posterior
from .protocol import Model as Model
from .vae import VAE as VAE
from .weights import load as load
from .weights import save_weights as save_weights
