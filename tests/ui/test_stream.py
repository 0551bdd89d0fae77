"""The page's stream of answers: whatever is asked for while it is closed is answered, too, and no answer
takes another back.
"""

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Browser

from rf_app.actions.application import Application
from rf_app.ui import waiting
from rf_app.ui.page import Blocks
from tests.browser import served

# The end of a stream takes its time, as on a slow line.
LATE = """(() => {
  const { fetch } = window;
  window.fetch = async (request, options) => {
    const answer = await fetch(request, options);
    if (!String(request.url ?? request).includes("/queue/data")) return answer;
    const late = new TransformStream({
      async transform(chunk, out) {
        const text = new TextDecoder().decode(chunk);
        const end = text.indexOf('data: {"msg":"close_stream"');
        if (end < 0) return out.enqueue(chunk);
        out.enqueue(new TextEncoder().encode(text.slice(0, end)));
        await new Promise((resolve) => setTimeout(resolve, 1500));
        window.ended = true;
        out.enqueue(new TextEncoder().encode(text.slice(end)));
      },
    });
    return new Response(answer.body.pipeThrough(late), answer);
  };
})()"""

# All answers arrive at once, as they do where the browser is busy.
TOGETHER = """(() => {
  const { fetch } = window;
  window.fetch = async (request, options) => {
    const answer = await fetch(request, options);
    if (!String(request.url ?? request).includes("/queue/data")) return answer;
    return new Response(await answer.arrayBuffer(), answer);
  };
})()"""


def test_what_is_asked_for_while_the_stream_ends_is_answered(
    app: Application, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    with served(app) as address:
        context = browser.new_context()
        context.add_init_script(LATE)
        page = context.new_page()
        page.goto(address)
        page.locator("#stage .total").wait_for(timeout=20_000)  # asked for when other answers have come
        assert not page.evaluate("window.ended")
        page.fill("#prompt textarea", "a red tent")
        page.press("#prompt textarea", "Enter")
        page.locator('#stage img[alt="a red tent"]').wait_for()
        with monkeypatch.context() as soon:
            soon.setattr(waiting, "IDLE", 0.2)
            page.press("#prompt textarea", "Enter")
            page.wait_for_function("window.ended")  # nobody has asked for anything since
        page.fill("#prompt textarea", "a tree")
        page.press("#prompt textarea", "Enter")
        page.locator('#stage img[alt="a tree"]').wait_for()
        context.close()


def test_what_an_answer_changes_stays_changed_when_the_next_comes_at_once(browser: Browser):
    with Blocks() as blocks:
        begin = gr.Button("Begin", elem_id="begin")
        file = gr.Button("Save", visible=False, elem_id="save")
        line = gr.HTML("", elem_id="line")

        def work() -> Iterator[dict[gr.Component, Any]]:
            yield {file: gr.Button(visible=False)}
            yield {line: "half"}
            yield {file: gr.Button(visible=True)}
            yield {line: "done"}

        begin.click(work, outputs=[file, line])
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True)
    page = browser.new_page()
    page.add_init_script(TOGETHER)
    page.goto(address)
    page.click("#begin")
    page.locator("#line", has_text="done").wait_for()
    page.locator("#save").wait_for(timeout=10_000)
    page.close()
    blocks.close(verbose=False)
