from .provenance import code as code
from .provenance import environment as environment
