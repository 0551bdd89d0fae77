"""Files that are either whole or absent, and one clear error when the disk is full."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(OSError):
    """The file system took no more bytes; what was being written has been removed."""


@contextmanager
def disk_full_named(path: Path) -> Iterator[None]:
    """Turn "no space left", from Python or from safetensors' Rust, into `DiskFull` naming `path`."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) in FULL or any(f"(os error {code})" in str(error) for code in FULL):
            free = shutil.disk_usage(existing_parent(path)).free / 2**20
            message = (
                f"The disk is full: cannot write {path} ({free:.0f} MiB free). Make room and run it again."
            )
            raise DiskFull(message) from error
        raise


def existing_parent(path: Path) -> Path:
    """The nearest folder above (or at) `path` that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write(temporary)` make the file, sync it to the disk and rename it to `path`.

    A reader sees the old file or the whole new one, whatever happens. Raises `DiskFull`.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with disk_full_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
