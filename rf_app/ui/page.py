"""Assembly: header, tabs and the API in one Blocks, and how it is launched."""

from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.plugins.lora import MAX_FILE_BYTES
from rf_app.registry.permission import Permission
from rf_app.ui import (
    api,
    compare_api,
    compare_tab,
    generate_tab,
    interpolate_api,
    interpolate_tab,
    lora_api,
    mcp_tools,
    models_tab,
    train_tab,
    trajectory_api,
)
from rf_app.ui.model_lists import keep_fresh, state_of
from rf_app.ui.theme import theme
from rf_app.workflows.examples import examples
from rf_app.workflows.generate import Studio

ASSETS = Path(__file__).parents[2] / "assets"
HOUR = 3600  # seconds
LOGO = """<svg viewBox="0 0 40 40" aria-hidden="true"><rect width="40" height="40" rx="10" fill="#165339"/>
<circle cx="27" cy="14" r="6" fill="#fcb733"/><path d="M0 33 14 16l8 9 5-5 13 10a10 10 0 0 1-10 10H10A10
10 0 0 1 0 30z" fill="#eef7f1"/></svg>"""
HEADER = f"""<header>{LOGO}<div><h1>InstaFlow Studio</h1>
<p>Type a few words and the picture is there: one-step text-to-image, on this computer.</p></div></header>"""
HEAD = '<meta name="color-scheme" content="light dark">'


def build(studio: Studio, examples_folder: Path, permission: Permission | None = None) -> gr.Blocks:
    """The whole page; permission: whether visitors may train, import and delete (not on a public Space)."""
    permission = permission or Permission()
    with gr.Blocks(
        title="InstaFlow Studio", analytics_enabled=False, fill_width=True, delete_cache=(HOUR, 24 * HOUR)
    ) as page:
        gr.HTML(HEADER, elem_id="masthead")
        seen = gr.Textbox(state_of(studio), visible="hidden", elem_id="models-seen")
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab("Generate", elem_id="generate-tab"):
                models = [
                    generate_tab.build(
                        studio,
                        examples(examples_folder),
                        examples(examples_folder / "drawings"),
                        page,
                        permission,
                    )
                ]
            with gr.Tab("Compare", elem_id="compare-tab") as tab:
                models += compare_tab.build(studio, tab)
            with gr.Tab("Interpolate", elem_id="interpolate-tab") as tab:
                models.append(interpolate_tab.build(studio, tab))
            with gr.Tab("Train", elem_id="train-tab") as tab:
                train_tab.build(studio, tab, permission)
            with gr.Tab("Models", elem_id="models-tab") as tab:
                models += models_tab.build(studio, tab, seen, permission)
        keep_fresh(studio, models, page, seen)
        api.build(studio)
        lora_api.build(studio)
        compare_api.build(studio)
        interpolate_api.build(studio)
        trajectory_api.build(studio)
    # Gradio's page looks every output up, at every event, to show no progress on it.
    for event in page.fns.values():
        if event.show_progress == "hidden":
            event.show_progress_on = []
    mcp_tools.build()
    return page


def launch_options() -> dict[str, Any]:
    """What `launch` needs so that the page looks and behaves as it should.

    Prompts are nobody's business: no history in the browser, no monitoring; no file but Gradio's is served.
    """
    return {
        "theme": theme(),
        "css_paths": ASSETS / "style.css",
        "js": (ASSETS / "page.js").read_text(encoding="utf-8"),
        "head": HEAD,
        "favicon_path": ASSETS / "favicon.svg",
        "footer_links": ["api", "gradio", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "share": False,
        "ssr_mode": False,
        "max_file_size": MAX_FILE_BYTES,
        "show_error": False,
        # Or Gradio gives up where its page first answers after three seconds, as on a busy machine.
        "_frontend": False,
    }
