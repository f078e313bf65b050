"""What of the original is left out on purpose: the table of docs/python.md."""

import re
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs/python.md"
_ROW = re.compile(r"^\| (`mcpauth[^|]*) \| ([^|]+) \|$", re.MULTILINE)


def left_out() -> dict[str, str]:
    """Each dotted name that is left out, with what is below it, and the reason."""
    return {
        name: reason
        for names, reason in _ROW.findall(_PAGE.read_text())
        for name in re.findall(r"`([^`]+)`", names)
    }
