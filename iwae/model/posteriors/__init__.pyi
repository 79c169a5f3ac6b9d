from .build import build_posterior as build_posterior
from .flow import Flow as Flow
from .gaussian import Gaussian as Gaussian
