"""Assembly: header, tabs and their endpoints in one Blocks, and how it is launched."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from gradio.block_function import BlockFunction
from gradio.route_utils import FnIndexInferError
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rf_app.actions.application import Application
from rf_app.actions.loras import file_limit
from rf_app.registry.permission import Permission
from rf_app.settings.bundled import ASSETS
from rf_app.ui import (
    batch,
    compare,
    edit,
    files,
    flow_lab,
    footer,
    generate,
    history,
    interpolate,
    mcp_tools,
    models,
    train,
    translation,
)
from rf_app.ui.guard import Guard, check_session, not_there, not_understood
from rf_app.ui.parts.components import Config
from rf_app.ui.parts.context import Page
from rf_app.ui.parts.model_lists import keep_fresh, state_of
from rf_app.ui.parts.script import scripts
from rf_app.ui.theme import MIST, PINE, theme
from rf_app.ui.waiting import SESSIONS, THREADS, Waiting

TABS = {
    "Generate": generate.build,
    "Compare": compare.build,
    "Edit": edit.build,
    "Interpolate": interpolate.build,
    "Batch": batch.build,
    "Train": train.build,
    "Flow lab": flow_lab.build,
    "Models": models.build,
    "History": history.build,
}
"""A capability of the page is a folder here, with a line in this list."""
TITLE = "InstaFlow Studio"
LOGO = """<svg viewBox="0 0 40 40" aria-hidden="true"><rect width="40" height="40" rx="10" fill="#165339"/>
<circle cx="27" cy="14" r="6" fill="#fcb733"/><path d="M0 33 14 16l8 9 5-5 13 10a10 10 0 0 1-10 10H10A10
10 0 0 1 0 30z" fill="#eef7f1"/></svg>"""
HEADER = f"""<button class="skip act" data-to-prompt>Skip to the prompt</button>
<header>{LOGO}<div><h1>{TITLE}</h1>
<p>Type a few words and the picture is there: one-step text-to-image, on this computer.</p></div></header>"""
HEAD = '<meta name="color-scheme" content="light dark"><meta name="languages" content="{}">'
OWN_COMPUTER = Permission()


class Blocks(gr.Blocks):
    """Gradio's own, but that what anybody sends in the place of the page is refused without a traceback, and
    that no answer of a run takes another back.
    """

    exited = False  # until Gradio says so
    permission = OWN_COMPUTER  # unless `build` says otherwise

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.default_config = Config(self)

    def get_config_file(self) -> Any:
        """As Gradio's own once the page is whole: before that it asks several times, for nothing."""
        return super().get_config_file() if self.exited else {}

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list[Any], *given: Any, **options: Any
    ) -> list[Any]:
        """As Gradio's own, but that the value of a list that is `changing` may be of the list before, and
        that nothing is fetched for strangers: it would come into memory, however large it is.
        """
        kept = {
            i: value
            for i, (field, value) in enumerate(zip(block_fn.inputs, inputs, strict=False))
            if isinstance(value, str) and getattr(field, "changing", False)
        }
        inputs = [None if i in kept else value for i, value in enumerate(inputs)]
        try:
            if not self.permission:
                traverse(inputs, _uploaded, is_file_obj_with_meta)
            found = await super().preprocess_data(block_fn, inputs, *given, **options)
            return [kept.get(i, value) for i, value in enumerate(found)]
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:  # each component raises its own
            raise gr.Error(
                f"The page sends no such values ({type(error).__name__}).", print_exception=False
            ) from None

    def handle_streaming_diffs(
        self, block_fn: BlockFunction, data: list[Any], session_hash: str | None, run: str | None, **how: bool
    ) -> list[Any]:
        """What has changed since the run's answer before, whole.

        Gradio tells the page what to edit in that answer, and the page does so even while it still waits to
        be shown: what "visible" made of a button was lost if the next answer, without it, came at once.
        """
        whole = list(data)
        first = session_hash is None or run not in self.pending_diff_streams[session_hash]
        told = super().handle_streaming_diffs(block_fn, data, session_hash, run, **how)
        if first or run is None or how["final"] or how["simple_format"]:
            return told
        return [[["replace", [], value]] if edits else [] for value, edits in zip(whole, told, strict=True)]


def _uploaded(file: dict[str, Any]) -> dict[str, Any]:
    if is_http_url_like(file["path"]):
        raise gr.Error(f"{file['path']:.80} is not fetched for visitors of a public page: upload the file.")
    return file


def build(app: Application, examples: Path) -> gr.Blocks:
    """The whole page; examples: a folder of pictures to begin with."""
    with Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(HEADER, elem_id="masthead")
        seen = gr.Textbox(state_of(app), visible="hidden", elem_id="models-seen")
        lists: list[gr.Dropdown] = []
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            for title, tab in TABS.items():
                with gr.Tab(title, elem_id=f"{title.lower().replace(' ', '-')}-tab") as own:
                    tab(app, Page(blocks, own, seen, examples, lists))
        footer.build(app)
        keep_fresh(app, lists, blocks, seen)
    # Gradio's page looks every output up, at every event, to show no progress on it.
    for event in blocks.fns.values():
        if event.show_progress == "hidden":
            event.show_progress_on = []
    blocks.permission = app.permission  # for `complain`, which every handler may call
    # Past the queue nothing would be counted: what has a place in it may not be asked for otherwise.
    blocks.api_open = False
    blocks._queue = Waiting(True, blocks.max_threads, 1, None, blocks)
    mcp_tools.build()
    return blocks


def manifest(_: Request) -> JSONResponse:
    """What a browser needs to install the page as an app: like Gradio's own, but behind a root path, too."""
    icon = {"src": "favicon.ico", "type": "image/svg+xml", "sizes": "any"}
    return JSONResponse(
        {
            "name": TITLE,
            "description": "One-step text-to-image, on this computer.",
            "start_url": "./",
            "display": "standalone",
            "background_color": MIST.c50,
            "theme_color": PINE.c700,
            "icons": [icon],
        },
        media_type="application/manifest+json",
    )


def launch_options(
    allowed_hosts: Sequence[str] = (), permission: Permission = OWN_COMPUTER
) -> dict[str, Any]:
    """What `launch` needs so that the page looks and behaves as it should; allowed_hosts: as for `Guard`.

    Prompts are nobody's business: no history in the browser but the form as it was left, no monitoring;
    no file but Gradio's is served.
    """
    return {
        "theme": theme(),
        "css_paths": ASSETS / "style.css",
        "js": Path(__file__).with_name("page.js").read_text(encoding="utf-8"),
        "head": HEAD.format(" ".join(translation.tables())) + scripts(),
        "favicon_path": ASSETS / "favicon.svg",
        "pwa": True,
        "footer_links": ["api", "gradio", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "share": False,
        "ssr_mode": False,
        "max_file_size": file_limit(permission),
        "max_threads": THREADS,
        "state_session_capacity": SESSIONS,
        "show_error": False,
        "app_kwargs": {
            "exception_handlers": {
                OSError: files.upload_refused,
                RequestValidationError: not_understood,
                KeyError: not_there,
                FnIndexInferError: not_there,
            },
            "middleware": [Middleware(Guard, allowed_hosts)],
            "dependencies": [Depends(check_session)],
            # They come before Gradio's.
            "routes": [Route("/manifest.json", manifest), Route("/words/{language}.json", translation.words)],
        },
        # Or Gradio gives up where its page first answers after three seconds, as on a busy machine.
        "_frontend": False,
    }
