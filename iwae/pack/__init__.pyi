from .pack import Pack as Pack
