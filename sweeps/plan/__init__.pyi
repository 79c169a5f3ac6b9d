from .plan import draw_plan as draw_plan
from .plan import extend_plan as extend_plan
