from .machine import environment as environment
from .provenance import code as code
