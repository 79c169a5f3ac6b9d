"""The end of a command's process."""

import atexit
import contextlib
import os
import sys
import threading
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with an exit code, whatever its daemon threads are doing.

    Before Python 3.14 the interpreter's end unwinds a daemon thread where it is. One that is inside C++ code
    (Matplotlib's fonts, while the recorder draws) then aborts the process: SIGABRT in place of the code.
    What the interpreter's end would do for others is done: threads that count are waited for, exit functions
    run, streams flushed.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does: it also tells idle pools to end
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
