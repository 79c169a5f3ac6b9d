from .files.places import open_storage as open_storage
from .reproduction import reproduce as reproduce
from .store import RunStore as RunStore
