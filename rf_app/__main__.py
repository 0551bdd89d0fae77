"""What the page does, without the page.

    python -m rf_app generate "a snowy mountain at sunset" --seed 5 --count 4 --out pictures
    python -m rf_app compare "a lake at night" --models pocket-sd pocket-instaflow --json
    python -m rf_app ACTION --help

Files go into the folder --out; what was found is printed, as JSON with --json. Ctrl-C stops within a step,
and within two seconds. Exit codes: 0 done, 2 not done, with the reason, 130 stopped.
"""

import gc

from rf_app import ctrl_c

if __name__ == "__main__":  # before the imports that take seconds
    ctrl_c.ends_at_once()
    gc.disable()  # a fifth of them: it looks again and again through what they keep

import base64
import json
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import MISSING, field, make_dataclass
from functools import partial
from importlib import import_module
from itertools import chain, count
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Annotated, Any, get_args, get_type_hints

import tyro

from rf_app import actions as package
from rf_app.actions.application import Application
from rf_app.actions.as_job import ANSWER
from rf_app.actions.asking import READERS, Argument, Asking, File, asking, wants_file
from rf_app.actions.progress import Progress
from rf_app.actions.run import run
from rf_app.errors import UserError
from rf_app.jobs import events
from rf_app.registry.disk import check_writable, writable, write_atomically, write_text
from rf_app.registry.models import Registry
from rf_app.settings.picture import Control, Lora
from rf_app.settings.prompts import Text
from rf_app.settings.text import read_text

REST = "\x1b[K"  # erases what a terminal shows from here to the end of the line
WRITTEN = {tuple[Lora, ...]: "ID[=STRENGTH] ...", tuple[Control, ...]: "CONTROLNET=FILE ..."}
"""How records are written here."""
OUT = "out"  # an action that has it writes each of its files as soon as it is made


def actions() -> dict[str, ModuleType]:
    """The actions there are, by the names they have here."""
    modules = [import_module(f"rf_app.actions.{each.name}") for each in iter_modules(package.__path__)]
    return {
        name.replace("_", "-"): module
        for module in modules
        if hasattr(module, "answer") and hasattr(module, name := module.__name__.rpartition(".")[2])
    }


def main(words: Sequence[str] | None = None) -> int:
    """Run the action that the words name; returns the exit code."""
    sys.stdout.reconfigure(errors="backslashreplace")  # as stderr has it: terminals may lack letters
    words = list(sys.argv[1:] if words is None else words)
    known = actions()
    if words in ([], ["--help"], ["-h"]):
        print(f"{__doc__}\nActions: {', '.join(known)}.")
        return 0
    name = words[0].replace("_", "-")  # as files and endpoints are named
    if name not in known:
        print(f"error: there is no action {words[0]!r:.80}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    action = asking(known[name])
    own = [
        (
            each.name,
            Annotated[_typed(each.type), tyro.conf.arg(help=each.about, metavar=WRITTEN.get(each.type))],
            *([] if each.default is MISSING else [field(default=each.default)]),
        )
        for each in action.arguments
        if each.name != OUT
    ]
    own = [  # what has to be given needs no name
        (each[0], tyro.conf.Positional[each[1]]) if len(each) == 2 else each for each in own
    ]
    options = [
        (name, Annotated[kind, tyro.conf.arg(help=about)], field(default=default))
        for name, kind, default, about in (
            (OUT, Path, Path(), "Folder for the files."),
            ("json", bool, False, "Print what was found as JSON."),
            ("registry", Path | None, None, "A folder of models, where new ones go (default: the user's)."),
            ("events", Path | None, None, "A folder to note the progress and the answer in, for a job."),
        )
    ]
    record = make_dataclass("Options", [*own, *options])
    chosen = vars(
        tyro.cli(record, prog=f"python -m rf_app {words[0]}", description=action.about, args=words[1:])
    )
    try:
        # Who has a command line here is no stranger, on a Space either: jobs are run by it.
        app = Application.on(Registry.default(chosen["registry"]), allow_training=True)
        with closing(app.worker):
            try:
                ctrl_c.ends_the_work()
                return _act(app, action, chosen)
            except KeyboardInterrupt:  # said before the worker has finished its step
                return _stopped()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before there was a worker
        return _stopped()


def _stopped() -> int:
    print("Stopped.", file=sys.stderr, flush=True)
    return 130


def _act(app: Application, action: Asking, chosen: dict[str, Any]) -> int:
    """Run the action with the options that were chosen, and give out what it has made."""
    wish = action.wish({each.name: _value(each, chosen[each.name]) for each in action.arguments})
    if _gives_files(get_type_hints(action.answer)["return"]):
        check_writable(chosen[OUT])  # before what may take hours
    found: list[Any] = []
    try:
        for event in run(action.act(app, wish)):
            if isinstance(event, Progress):
                _say(event, chosen["events"])
            elif event is not None:
                found.append(event)
    finally:
        if sys.stderr.isatty():  # what is said next takes the line of the progress
            print(end=REST, file=sys.stderr, flush=True)
    attempts = [each for each in (getattr(each, "attempt", each) for each in found) if hasattr(each, "error")]
    for each in attempts:
        if each.error:
            print(f"error: {each.settings.model}: {each.error}", file=sys.stderr)
    answer = action.answer(app, found)
    _give(answer, chosen["out"], chosen["json"])
    if chosen["events"]:
        # Whole or not there: it is what tells that a job is done.
        write_text(chosen["events"] / ANSWER, json.dumps(answer))
    return 2 if attempts and all(each.error for each in attempts) else 0


def _gives_files(kind: Any) -> bool:
    return kind is File or any(map(_gives_files, get_args(kind)))


def _typed(kind: Any) -> Any:
    """Records are words here: a LoRA is ID or ID=STRENGTH, a control is CONTROLNET=PICTURE."""
    if kind in READERS:
        return tuple[str, ...] | None if type(None) in get_args(kind) else tuple[str, ...]
    if kind == File | None:
        return Path | None
    return Path if kind in (File, Text) else kind


def _value(argument: Argument, value: Any) -> Any:
    if argument.type == tuple[Lora, ...]:
        return [_lora(*each.split("=", 1)) for each in value]
    if argument.type == tuple[Control, ...]:
        return [_control(*each.split("=", 1)) for each in value]
    if argument.type is Text:
        return read_text(value)
    return File(value.name, value) if wants_file(argument, value) else value


def _lora(id: str, strength: str = "1") -> dict[str, Any]:
    try:
        return {"id": id, "strength": float(strength)}
    except ValueError:
        raise UserError(f"LoRA {id}: strength is {strength!r:.40}; it must be a number.") from None


def _control(model: str, file: str = "") -> dict[str, Any]:
    try:
        return {"model": model, "image": base64.b64encode(Path(file).read_bytes()).decode()}
    except OSError as error:
        raise UserError(f"control {model}: {file!r:.100} cannot be read ({error.strerror}).") from None


def _say(progress: Progress, folder: Path | None) -> None:
    if folder:
        told = {"step": progress.done, "of": progress.of, "text": progress.text}
        events.append(folder, told | {"seconds_left": progress.seconds_left})
    left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
    end = f"{REST}\r" if sys.stderr.isatty() else "\n"
    print(f"{progress.done / progress.of:4.0%}  {progress.text}{left}", end=end, file=sys.stderr, flush=True)


def _give(answer: Any, out: Path, as_json: bool) -> None:
    """Write the files of an answer, print the rest: beside files only where it is asked for."""
    for each in answer if isinstance(answer, tuple) else (answer,):
        files = [each] if isinstance(each, File) else each
        if isinstance(files, list) and files is not answer:  # what is listed alone is no files
            for file in files:
                path = out / file.name
                if file.content != path:
                    with writable(out):
                        path = _free(path)
                        write_atomically(path, partial(_write, file.content))
                print(path, file=sys.stderr if as_json else sys.stdout)
        elif as_json or each is answer:
            print(json.dumps(each, ensure_ascii=sys.stdout.encoding != "utf-8", indent=2))


def _write(content: bytes | Path, path: Path) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        shutil.move(content, path)


def _free(path: Path) -> Path:
    """The path itself, or with a number: pictures of two models may have one name, and none is lost."""
    others = (path.with_stem(f"{path.stem}-{i}") for i in count(2))
    return next(each for each in chain([path], others) if not each.exists())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # how a job is stopped
    gc.enable()
    code = main()
    if code == 130:
        ctrl_c.end()
    raise SystemExit(code)
