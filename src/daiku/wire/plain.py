"""What other machines say, made fit for the operator's terminal."""

from __future__ import annotations


def plain(text: str) -> str:
    """`text` without what would steer a terminal: whatever is neither printable nor a tab or a line's end becomes a
    question mark."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text.replace("\r\n", "\n"))
