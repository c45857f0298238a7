"""Commands that Ctrl-C ends, wherever the tests run."""

from __future__ import annotations

import sys


def interruptible_command() -> list[str]:
    """`wakeful`, as a terminal starts it: in the background of a script SIGINT is ignored."""
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from wakeful.cli import main; main()"
    )
    return [sys.executable, "-c", start]
