"""The program: `python -m training_factors`, `python run_study.py` and the console scripts.

Nothing is imported at the top that takes time, so that Ctrl-C is answered from the start.
"""

import atexit
import io
import os
import sys
import threading
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main() -> None:
    """Run the command line of this process and exit with its code.

    Where the caller is not the process's own program (`%run` in IPython, `runpy`, a thread), return
    on success, and raise SystemExit otherwise. Ctrl-C while the program is still being imported
    ends it without a word.
    """
    is_program = _is_program(sys._getframe(1))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may not know all signs
    try:
        from training_factors.study.commands import execute

        code = execute(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    if is_program:
        end(code)
    if code:
        sys.exit(code)


def _is_program(caller: FrameType) -> bool:
    """Return whether nothing but Python's own start, and its -m option, stands above the caller."""
    outermost = caller
    while outermost.f_back is not None:
        outermost = outermost.f_back
    is_main_thread = threading.current_thread() is threading.main_thread()
    is_alone = outermost is caller or outermost.f_code.co_name == "_run_module_as_main"
    return is_main_thread and is_alone


def end(code: int) -> NoReturn:
    """Exit as Python does, but without tearing down modules: with torch that takes 1.4 s."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
