from .space import Space as Space
from .space import parse_space as parse_space
