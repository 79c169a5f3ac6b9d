"""Hyperparameter sweeps of importance weighted autoencoders, as a library: run, open, submit, draw_plan.

Importing it loads neither PyTorch nor Ray, MLflow and pandas: the first use does.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
