"""MCP tools whose work ends with the one who asked: by itself, Gradio's server carries on to the end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio.mcp
from gradio_client.client import Job


class ToolServer(gradio.mcp.GradioMCPServer):
    """Gradio's own, but cancelling an answer, as a lost connection does, cancels the job behind it.

    A job is a call of one of the page's own endpoints over HTTP.
    """

    async def _execute_tool_without_progress(self, job: Job) -> list[Any]:
        with _taken_along(job):
            return [await asyncio.wrap_future(job.future)]

    async def _execute_tool_with_progress(self, job: Job, progress_token: str | int) -> dict[str, Any]:
        with _taken_along(job):
            return await super()._execute_tool_with_progress(job, progress_token)


@contextmanager
def _taken_along(job: Job) -> Iterator[None]:
    try:
        yield
    except asyncio.CancelledError:
        # On a thread: it asks this very server, and waits for the answer.
        asyncio.get_running_loop().run_in_executor(None, job.cancel)
        raise


def build() -> None:
    """Make it the server that `launch(mcp_server=True)` starts."""
    gradio.mcp.GradioMCPServer = ToolServer
