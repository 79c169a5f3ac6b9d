"""p(x|z): one likelihood a file; the decoder's last layer gives what it needs of every pixel."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
