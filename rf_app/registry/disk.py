"""Files and folders that are whole or absent, whatever happens, and one clear error when the disk is full."""

import ctypes
import errno
import fcntl
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from rf_app.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # Linux: <fcntl.h>, <linux/fs.h>
RENAME_SWAP = 2  # macOS: <sys/stdio.h>
HIDDEN = ".instaflow-"
Stamp = tuple[Path, int, int]
"""A folder or file as it was at one moment: publishing anew changes it."""
Files = frozenset[tuple[str, int, int, int | str]]
"""The files of a folder as they are at one moment, wherever they lie."""
ABANDONED = 60.0  # seconds; a younger hidden folder may be about to be locked


class DiskFull(UserError, OSError):
    """The file system took no more bytes; what was being written has been removed."""


@contextmanager
def disk_full_named(path: Path, name: str = "") -> Iterator[None]:
    """Turn "no space left", from Python or from safetensors' Rust, into `DiskFull` naming `path`.

    name: what a stranger is told in place of any path: those of this computer do not concern them.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        # Rust's errors have no number of their own, nor has the one in which shutil gathers many.
        marks = [mark for code in FULL for mark in (f"(os error {code})", f"[Errno {code}]")]
        if any(mark in str(error) for mark in marks) and (name or not isinstance(error, DiskFull)):
            free = shutil.disk_usage(existing_parent(path)).free / 2**20
            message = f"The disk is full: cannot write {name or path} ({free:.0f} MiB free)."
            message += " Make room and run it again."
            raise DiskFull(message) from error
        raise


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn a refusal to write into a UserError: no permission, a read-only disk, a file in its place."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        raise UserError(
            f"{folder}: cannot be written to ({error.strerror}): give write permission, or another folder."
        ) from error


def check_writable(folder: Path) -> None:
    """Raise UserError for a folder that takes no files, or, where it is not there, cannot be made."""
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.exists(each))  # noqa: PTH110
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: cannot be written to: give write permission, or another folder.")


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
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, as `write_atomically` writes a file."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def link_or_copy(old: Path, new: Path) -> None:
    """Give a file one more name, which takes no room; a copy where that cannot be. A link stays one."""
    new.unlink(missing_ok=True)
    if old.is_symlink():
        new.symlink_to(old.readlink())
        return
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)


def sync(path: Path) -> None:
    """Have a file's content, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Have every file and folder below survive a power cut."""
    for parent, _, files in os.walk(folder):
        for name in files:
            sync(Path(parent) / name)
        sync(Path(parent))


@contextmanager
def hidden_folder(root: Path, prefix: str) -> Iterator[Path]:
    """A fresh folder ".instaflow-{prefix}-…" in `root`, locked while it is in use, removed afterwards.

    Those of killed processes are removed on the way.
    """
    root.mkdir(parents=True, exist_ok=True)
    remove_abandoned(root)
    with tempfile.TemporaryDirectory(dir=root, prefix=f"{HIDDEN}{prefix}-") as name, locked(Path(name)):
        yield Path(name)


def remove_abandoned(root: Path) -> None:
    """Remove the hidden folders of killed processes, whom no lock holds any more."""
    for folder in root.glob(f"{HIDDEN}*/"):  # nobody else's: the folder may be anyone's home
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > ABANDONED:
                with locked(folder):
                    shutil.rmtree(folder)


@contextmanager
def locked(folder: Path, patience: float = 0.0) -> Iterator[int]:
    """Hold the folder's lock; raises BlockingIOError where another does, for more than `patience` seconds.

    Gives its descriptor: a process that inherits it holds the lock on, to its end.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.02)
        yield descriptor
    finally:
        os.close(descriptor)


def put_in_place(fresh: Path, target: Path, overwrite: bool) -> bool:
    """Move the folder `fresh` to `target`, or let the two change places, in one step for every reader.

    Afterwards `fresh` is gone, or it is the old folder. False, and nothing done, where there is a target and
    `overwrite` is not meant. Where the file system cannot exchange two folders (some network drives), there
    are two renames, and a reader in between finds neither.
    """
    while True:
        try:
            fresh.rename(target)
        except OSError as error:
            if error.errno not in TAKEN:
                raise
        else:
            return True
        if not overwrite:
            return False
        with suppress(FileNotFoundError):  # it has gone meanwhile
            if not _exchanged(fresh, target):
                old = fresh.with_name(f"{fresh.name}.old")
                target.rename(old)
                fresh.rename(target)
                old.rename(fresh)
            return True


def there_already(target: Path) -> UserError:
    """What is said of a file or folder that was to be made, and is there."""
    return UserError(f"{target} exists already: choose another folder, or remove it.")


def publish_folder(
    target: Path, build: Callable[[Path], None], overwrite: bool = False, taken: UserError | None = None
) -> None:
    """Let `build` fill a hidden folder, sync it to the disk, and move it to `target` in one step.

    Nothing is left behind if `build` raises, and a folder being replaced stays until the new one is whole on
    disk. Raises `taken` (default: `there_already`) where there is a target and `overwrite` is not meant,
    UserError for a place that cannot be written to, and `DiskFull`.
    """
    if target.exists() and not overwrite:
        raise taken or there_already(target)
    root = target.parent
    with writable(root), disk_full_named(target), hidden_folder(root, target.name) as hidden:
        fresh = hidden / target.name
        fresh.mkdir()
        build(fresh)
        sync_tree(fresh)
        if not put_in_place(fresh, target, overwrite):
            raise taken or there_already(target)
        sync(root)


def stamp(path: Path) -> Stamp:
    """What identifies the present content of a folder that is only ever replaced as a whole, or of a file."""
    status = path.stat()
    return path, status.st_ino, status.st_mtime_ns


def files_of(folder: Path) -> Files:
    """What tells the files of a model's piece from others; alike for folders that share all of them.

    A config.json is each folder's own, so its content is what counts.
    """
    found = []
    for path in folder.iterdir():
        with suppress(OSError, ValueError, RecursionError):  # a link that is gone, no JSON: loading says so
            status = path.stat()
            found.append((path.name, status.st_dev, status.st_ino, status.st_mtime_ns))
            if path.name == "config.json":
                config = json.loads(path.read_bytes())
                found[-1] = (path.name, 0, 0, json.dumps(config, sort_keys=True))
    return frozenset(found)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names; False where the system or the file system cannot. Raises FileNotFoundError."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        failed = libc.renamex_np(*names, RENAME_SWAP)
    elif hasattr(libc, "renameat2"):
        failed = libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
    else:
        return False
    if failed and ctypes.get_errno() == errno.ENOENT:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(other))
    return not failed
