"""Files that visitors upload: each visible to its own session alone, and gone with it.

A session is known by a secret text, which is never part of a path. Files lie under their content's hash, in a
folder that the running process has locked, so that a later start finds and removes what a crash has left.
Closing a page ends its session; a program only ever falls silent, so its uploads stay until others need the
room.
"""

import hashlib
import re
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from rf_app.errors import UserError
from rf_app.registry.disk import disk_full_named, hidden_folder, remove_abandoned, writable, write_atomically
from rf_app.registry.loras import UPLOAD, LoraCard
from rf_app.registry.models import Registry

MAX_FILES = 16  # a session
MAX_BYTES = 512 * 2**20  # a session
MAX_TOTAL_BYTES = 4 * 2**30  # all of them
GRACE = 600.0  # seconds: a connection that was lost may come back
IDLE = 3600.0  # seconds without use, after which a session makes room for others
MAX_TITLE = 80
FOLDER = ".instaflow_uploads"  # not HIDDEN of `rf_app.registry.disk`, whose leftovers others remove


@dataclass(frozen=True, kw_only=True)
class Upload(LoraCard):
    """An uploaded LoRA. id: "upload-" and 12 digits of the content's SHA-256. title: what its file was
    called, to be escaped on display. unused: what of it the model that it was checked with has no place for.
    """

    path: Path
    size: int  # bytes
    unused: tuple[str, ...] = ()


@dataclass
class Session:
    """What a session has, and when it goes."""

    folder: Path
    files: dict[str, Upload] = field(default_factory=dict)
    used: float = field(default_factory=time.monotonic)
    end: Timer | None = None  # once its page was closed


class Uploads:
    """Uploaded files by session; for any thread."""

    def __init__(self, root: Path, grace: float = GRACE):
        """root: holds a folder for each running process with uploads; what others have left is removed."""
        self.root = Path(root)
        self.grace = grace
        self._sessions: dict[str, Session] = {}
        self._lock = Lock()
        self._own: Path | None = None
        self._held = ExitStack()
        remove_abandoned(self.root)

    @classmethod
    def beside(cls, registry: Registry) -> "Uploads":
        """In a folder of their own beside that of the user's models, where anything of theirs may lie."""
        return cls(registry.folders[-1].parent / FOLDER)

    def add(self, session: str, file: Path, title: str, most: int = MAX_BYTES, **said: Any) -> Upload:
        """Keep a copy of a file that has been checked; the same content again is the same upload.

        most: bytes of a session. said: what else is known, fields of `Upload`. Raises UserError where there
        is no session, its files would be too many or too large, or the folder cannot be written to; and
        `DiskFull`.
        """
        if not session:
            raise UserError(
                "An upload belongs to a session: open the page, or use one client for all calls. On the "
                "command line import-model brings a LoRA in."
            )
        digest, size = _digest(file), file.stat().st_size
        id = f"{UPLOAD}{digest[:12]}"
        with self._lock:
            held = self._used(session)
            if id in held:
                return held[id]
            if len(held) >= MAX_FILES:
                raise UserError(f"{MAX_FILES} files are uploaded already: remove one first.")
            if sum(each.size for each in held.values()) + size > most:
                raise UserError(f"Uploads may take {most // 2**20:,} MB together: remove one first.")
            self._make_room(size)
            with writable(self.root), disk_full_named(self.root, title):
                if session not in self._sessions:
                    self._own = self._own or self._held.enter_context(hidden_folder(self.root, "uploads"))
                    self._sessions[session] = Session(Path(tempfile.mkdtemp(dir=self._own)))
                own = self._sessions[session]
                path = own.folder / f"{digest}.safetensors"
                write_atomically(path, lambda temporary: shutil.copyfile(file, temporary))
            own.files[id] = Upload(id, _title(title), path=path, size=size, **said)
            return own.files[id]

    def of(self, session: str) -> list[Upload]:
        """A session's uploads, oldest first."""
        with self._lock:
            return list(self._used(session).values())

    def get(self, session: str, id: str) -> Upload:
        """An upload of the session's own; raises UserError for any other id."""
        with self._lock:
            found = self._used(session).get(id)
        if found is None:
            raise UserError(f"{id!r:.40} is none of this session's uploads: upload the file again.")
        return found

    def tell(self, session: str, id: str, **said: Any) -> None:
        """Note what else is known of an upload, fields of `Upload`; raises UserError as `get`."""
        upload = self.get(session, id)
        with self._lock:
            self._used(session)[id] = replace(upload, **said)

    def remove(self, session: str, id: str) -> None:
        """Delete an upload; one that is gone already is no error."""
        with self._lock:
            found = self._used(session).pop(id, None)
            if found:
                found.path.unlink(missing_ok=True)

    def leave(self, session: str) -> None:
        """The session's page was closed: delete its uploads once they have not been used for a while.

        A request that still waits may use them, and so may a page that only lost its connection: neither says
        that it comes back.
        """
        with self._lock:
            own = self._sessions.get(session)
            if own and own.end is None:
                own.used = time.monotonic()
                self._end_in(self.grace, session, own)

    def _used(self, session: str) -> dict[str, Upload]:
        own = self._sessions.get(session)
        if own is None:
            return {}
        own.used = time.monotonic()
        return own.files

    def _end_in(self, seconds: float, session: str, own: Session) -> None:
        own.end = Timer(seconds, self._end, [session, own])
        own.end.daemon = True
        own.end.start()

    def _end(self, session: str, own: Session) -> None:
        with self._lock:
            if self._sessions.get(session) is not own:  # it has made room, and may be another by now
                return
            rest = own.used + self.grace - time.monotonic()
            if rest > 0:
                self._end_in(rest, session, own)
            else:
                self._drop(session)

    def _make_room(self, size: int) -> None:
        """Drop idle sessions, the longest unused first, until `size` more bytes may come."""
        idle = sorted((own.used, session) for session, own in self._sessions.items())
        held = sum(each.size for own in self._sessions.values() for each in own.files.values())
        for used, session in idle:
            if held + size <= MAX_TOTAL_BYTES or time.monotonic() - used < IDLE:
                break
            held -= sum(each.size for each in self._sessions[session].files.values())
            self._drop(session)
        if held + size > MAX_TOTAL_BYTES:
            raise UserError("There is no room for uploads at the moment: please try again later.")

    def _drop(self, session: str) -> None:
        shutil.rmtree(self._sessions.pop(session).folder, ignore_errors=True)
        if not self._sessions:
            self._held.close()
            self._own = None


def _digest(file: Path) -> str:
    found = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(2**20):
            found.update(chunk)
    return found.hexdigest()


def _title(name: str) -> str:
    """A file's name without its ending, in one line."""
    return re.sub(r"\s+", " ", name.removesuffix(".safetensors")).strip()[:MAX_TITLE] or "LoRA"
