"""The actions as endpoints of the HTTP API and as MCP tools: signature, help and answer come from the action.

    from gradio_client import Client
    files, details = Client("http://127.0.0.1:7860").predict("a lake at night", api_name="/generate")

An endpoint is a generator, so that the work ends with the connection.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, asdict, is_dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, TypedDict, get_args, get_origin, get_type_hints

import gradio as gr
from gradio.data_classes import FileData
from gradio.utils import get_upload_folder

from rf_app.actions.application import Application
from rf_app.actions.asking import Asking, File, asking, wants_file
from rf_app.actions.progress import Progress
from rf_app.actions.run import run
from rf_app.errors import UserError
from rf_app.pipeline.turns import NOBODY
from rf_app.settings.prompts import Text
from rf_app.ui.files import file_data
from rf_app.ui.waiting import LONG_WORK


def session_of(asked_by: gr.Request) -> str:
    """The visitor's session, whose uploads are theirs alone; "" for a call without one, as MCP's are."""
    return getattr(asked_by, "session_hash", None) or ""


def seen_by(app: Application, asked_by: gr.Request) -> Application:
    """The application as the visitor has it, whose turns at the worker are theirs, too."""
    return app.seen_by(session_of(asked_by), getattr(asked_by.request.state, "visitor", NOBODY))


def endpoint(
    app: Application, module: ModuleType, order: Sequence[str] = (), tool: str = "", queue: bool = True
) -> None:
    """Add the action of a module to the Blocks at hand.

    order: arguments that come before the others. tool: its name for MCP, where it is not the action's. queue:
    False for what must not share a session with other MCP clients: queued calls of theirs do.
    """
    action = asking(module)
    arguments = sorted(
        (each for each in action.arguments if each.type != Path | None),  # of this computer: nobody else's
        key=lambda each: order.index(each.name) if each.name in order else len(order),
    )

    def call(*values: Any) -> Iterator[Any]:
        *values, asked_by = values
        results: list[Any] = []
        own = seen_by(app, asked_by)
        try:
            given = zip(arguments, values, strict=True)
            wish = action.wish(
                {
                    each.name: uploaded(value, each.name) if wants_file(each, value) else value
                    for each, value in given
                }
            )
            for event in run(action.act(own, wish)):
                if isinstance(event, Progress):
                    yield _waiting(action, event)
                elif event is not None:
                    results.append(event)
                else:
                    yield _waiting(action, None)
            yield _given(action.answer(own, results))
        except UserError as error:
            raise gr.Error(app.permission.told(error), print_exception=False) from None

    parameters = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=_known_to_gradio(each.type),
        )
        for each in arguments
    ]
    visitor = inspect.Parameter(
        "asked_by", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=gr.Request
    )
    call.__signature__ = inspect.Signature([*parameters, visitor], return_annotation=_answered(action))
    call.__annotations__ = {each.name: each.annotation for each in (*parameters, visitor)}
    call.__name__ = tool or action.name
    call.__doc__ = _help(action)
    more = LONG_WORK if queue else {}
    gr.api(call, api_name=action.name, queue=queue, **more)


def _help(action: Asking) -> str:
    arguments = "".join(f"    {each.name}: {' '.join(each.about.split())}\n" for each in action.arguments)
    returns = " ".join((inspect.getdoc(action.answer) or "").split())
    return f"{action.about}\n\nArgs:\n{arguments}\nReturns:\n    {returns}\n"


def _answered(action: Asking) -> Any:
    """The type of the answer, as Gradio has it."""
    return _known_to_gradio(get_type_hints(action.answer)["return"])


def _known_to_gradio(kind: Any) -> Any:
    if kind is File:
        return FileData
    if kind is Text:
        return str
    if is_dataclass(kind):  # of these Gradio says that a field is required whose default is 0 or ""
        return TypedDict(kind.__name__, get_type_hints(kind), total=False)
    inner = tuple(map(_known_to_gradio, get_args(kind)))
    if get_origin(kind) in (tuple, list):
        return get_origin(kind)[inner]
    return reduce(or_, inner) if get_origin(kind) is UnionType else kind


def _waiting(action: Asking, progress: Progress | None) -> Any:
    """What is said before there is an answer: nothing, and how far it is in the place of the JSON."""
    kind = get_type_hints(action.answer)["return"]
    said = asdict(progress) if progress else None
    return (*(None for _ in get_args(kind)[1:]), said) if get_origin(kind) is tuple else None


def _given(answer: Any) -> Any:
    if isinstance(answer, (tuple, list)):
        return type(answer)(map(_given, answer))
    return file_data(answer) if isinstance(answer, File) else answer


def uploaded(value: Any, name: str = "file") -> File:
    """A file that a program has uploaded; raises UserError, with its name, for any other path."""
    path = value.get("path") if isinstance(value, dict) else None
    try:
        file = Path(path).resolve()
        if file.is_relative_to(Path(get_upload_folder()).resolve()) and file.is_file():
            return File(file.name, file)
    except (TypeError, ValueError, OSError):  # no text, one that is no path, one that is too long
        pass
    raise UserError(f"{name} is missing: give a file, as gradio_client's handle_file does.")
