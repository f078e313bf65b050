"""The `mcp-auth` command: `python -m mcp_auth dev`, `check`, `explain`."""

from __future__ import annotations

import signal
import sys

from ._native import run_command


def main() -> int:
    """Runs the command and returns its exit code."""
    # Ctrl-C is the command's: Python's own handler would wait until it has ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run_command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
