"""Figures as people read them."""


def duration(seconds: float) -> str:
    """A time with the digits that matter: "4.2 ms", "41 ms", "1.3 s"."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def steps(count: int) -> str:
    """ "1 step", "25 steps"."""
    return "1 step" if count == 1 else f"{count} steps"


def in_bytes(size: float) -> str:
    """For people: 8.3 MB, 2.1 GB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit in ("B", "kB") else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
