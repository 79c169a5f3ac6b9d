from .launch import compare as compare
from .launch import draw_plan as draw_plan
from .launch import open as open
from .launch import open_run as open_run
from .launch import run as run
from .launch import submit as submit
from .sweep import Interrupted as Interrupted
from .sweep import Sweep as Sweep
