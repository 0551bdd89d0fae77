"""A job's log: what its processes said, progress bars as their latest line."""

import re
from pathlib import Path

LOG = "log.txt"
TAIL, LINES = 64 * 1024, 12  # bytes and lines; the end of a log is what is shown
BAR = re.compile(r"\d+%\|.*\||\d+(step|pair) \[")


def log_path(folder: Path) -> Path:
    """The log in a job's folder."""
    return folder / LOG


def tail(folder: Path) -> list[str]:
    """The last lines; of a progress bar, which writes over itself, what stands there in the end."""
    try:
        with log_path(folder).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    shown: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        last = [part for part in line.split("\r") if part.strip()]
        if not last:
            continue
        if shown and BAR.search(last[-1]) and BAR.search(shown[-1]):
            shown.pop()
        shown.append(last[-1].rstrip())
    return shown[-LINES:]


def last_words(folder: Path) -> str:
    """What a process said before it went: its "error: …" line if there is one, or its last lines."""
    lines = tail(folder)
    errors = [line for line in lines[-4:] if line.startswith("error: ")]
    if errors:
        return errors[-1].removeprefix("error: ")
    return "\n".join(line for line in lines[-3:])
