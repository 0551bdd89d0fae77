"""The same actions as MCP tools, through the protocol's own client."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from jsonschema import Draft202012Validator
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from tests.settled import until
from tests.ui.conftest import answering


def ask(url, question):
    """The answer to an async question about a session of its own."""

    async def main():
        address = f"{url}gradio_api/mcp/"
        async with streamablehttp_client(address) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            return await question(session)

    # On a thread of its own: Playwright keeps a loop running on this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, main()).result()


def test_every_tool_says_what_it_does_and_takes(url):
    tools = ask(url, lambda session: session.list_tools()).tools
    assert {tool.name for tool in tools} >= {
        "generate",
        "compare_models",
        "draw_grid",
        "trajectory",
        "interpolate",
        "upload_lora",
    }
    for tool in tools:
        assert tool.description
        Draft202012Validator.check_schema(tool.inputSchema)
        undescribed = [
            name for name, each in tool.inputSchema["properties"].items() if not each["description"]
        ]
        assert undescribed == []
        assert len(tool.inputSchema.get("required", [])) <= 2  # a prompt, and a picture


@pytest.mark.parametrize(
    ("tool", "wish"),
    [
        ("generate", {"prompt": "a lake"}),
        ("compare_models", {"prompt": "a lake", "models": ["tiny-2rf", {"model": "tiny-sd", "steps": 2}]}),
        ("draw_grid", {"prompt": "a lake", "rows": "seed", "row_values": "1-3"}),
        ("trajectory", {"prompt": "a lake", "models": ["tiny-2rf"], "steps": 2}),
        ("interpolate", {"prompts": ["a lake", "a red tent"], "frames": 2}),
    ],
)
def test_a_tool_does_its_work(url, tool, wish):
    answer = ask(url, lambda session: session.call_tool(tool, wish))
    assert not answer.isError
    assert any("http" in part.text for part in answer.content if part.type == "text") or any(
        part.type == "image" for part in answer.content
    )


def test_a_bad_wish_is_answered_with_its_message(url):
    answer = ask(url, lambda session: session.call_tool("compare_models", {"prompt": ""}))
    assert answer.isError
    assert "prompt is empty" in answer.content[0].text


@pytest.mark.parametrize("reported", [False, True])
def test_a_tool_stops_when_the_one_who_asked_is_gone(url, gate, reported):
    wish = {"prompt": "a lake", "model": "tiny-sd", "steps": 100, "guidance": 1, "count": 16}

    async def leave(session):
        async def report(*_):
            pass

        asking = asyncio.create_task(
            session.call_tool("generate", wish, progress_callback=report if reported else None)
        )
        gate.let(1)
        while not gate.steps or not answering():
            await asyncio.sleep(0.05)
        asking.cancel()

    ask(url, leave)
    until(lambda: not answering())
    assert gate.steps_after_all() <= 2
