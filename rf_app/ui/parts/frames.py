"""Pictures that follow a hand: a server function of gr.HTML, one plain request each, past Gradio's queue and
its files, because such a picture takes less time than those do. The slow ones end with the page that asked.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.errors import UserError
from rf_app.pipeline.turns import PULSE, Line
from rf_app.ui.waiting import ALL, too_many


def frames(
    app: Application, draw: Callable[[Application, Any, Callable[[], bool]], dict[str, Any]]
) -> Callable[..., Any]:
    """The function `server.frame(wish)` of the browser; {"problem": …} where `draw` raises UserError.

    draw: takes the application as the visitor has it, the wish, which may be anything, and whether they have
    left.
    """

    threads = ThreadPoolExecutor(ALL, "frames")  # as many as may wait: nobody waits for another's turn here
    waiting: Counter[Line] = Counter()

    def answer(wish: Any, line: Line, left: Event) -> dict[str, Any]:
        try:
            return draw(app.seen_by(line[1], line), wish, left.is_set)
        except UserError as error:
            return {"problem": app.permission.told(error)}

    async def frame(wish: Any, asked_by: gr.Request) -> dict[str, Any]:
        left = Event()
        line = asked_by.client.host, (await asked_by.json())["session_hash"]  # it is in the body alone
        if why := too_many(waiting[line], waiting.total()):
            return {"problem": why}
        waiting[line] += 1
        try:
            drawing = asyncio.get_running_loop().run_in_executor(threads, answer, wish, line, left)
            while not (await asyncio.wait([drawing], timeout=PULSE))[0]:
                if await asked_by.is_disconnected():
                    left.set()
            return drawing.result()
        finally:
            waiting[line] -= 1
            if not waiting[line]:
                del waiting[line]

    return frame
