"""The name under which models logged before iwae.serving existed ask for their loader."""

from iwae.serving import ServedModel as ServedModel
from iwae.serving import _load_pyfunc as _load_pyfunc
