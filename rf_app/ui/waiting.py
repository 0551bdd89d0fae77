"""Gradio's queue with bounds: on what one visitor has waiting, on what all have, on answers nobody fetches.

Who is refused hears so at once, as HTTP 503 and in a toast of the page, before anything is kept for them.
"""

import asyncio
from typing import Any

from gradio.block_function import BlockFunction
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Event, Queue
from gradio.server_messages import ProcessCompletedMessage
from starlette.requests import Request

from rf_app.settings.picture import Control
from rf_app.ui.guard import MAX_BODIES, MAX_SESSION, SMALL

LONG_WORK = {"concurrency_limit": None, "concurrency_id": "long work"}  # all of it takes turns at the worker
MINE = 16  # requests of one visitor that wait or are seen to
ALL = 64  # of everybody
AT_ONCE = 4  # of one visitor that are seen to: nobody else waits for the others
ANSWERS = 64  # of one session that nobody has fetched
SESSIONS = 64  # of which state and answers are kept: the latest
CLOSED = 4  # of them whose page has gone: its connection may be back in a moment
IDLE = 5.0  # seconds without an event, after which a page's stream of answers is closed
IDLER = "idle"  # the event that nobody asked for, by which it stays open until then
THREADS = 200  # more than may be seen to at a time


class Waiting(Queue):
    """The page's quick events are counted apart, so that nobody waits for Stop.

    A page's stream of answers stays open for some seconds after the last. Gradio would close it at once, and
    whatever is asked for before the page hears of that finds it open: its answer would never be read. For
    ever it may not stay open: browsers have few connections to a server, all tabs together.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._idlers: dict[str, asyncio.TimerHandle] = {}
        self._received: dict[str, int] = {}  # bytes of requests whose answers nobody has fetched
        self.ANALYTICS_MAX_EVENTS = 0  # kept, with their sessions, for a monitoring that there is not

    async def push(self, body: PredictBodyInternal, request: Request, username: str | None) -> Any:
        """As Gradio's own, unless there is too much; the request's state says from now on who asks."""
        session = body.session_hash or ""
        request.state.visitor = request.client.host, session
        fn = self.blocks.fns.get(body.fn_index)
        # With "<gradio-sep>" in the name of one that is answered, Gradio could cancel nobody's event.
        if len(session) > MAX_SESSION or "<" in session:
            return False, f"A session's name has at most {MAX_SESSION} letters, none of them “<”.", "error"
        if fn is None or not fn.fn:
            return False, f"There is no event {body.fn_index!r:.40} here.", "error"
        if len(body.data) != len(fn.inputs):
            return False, f"There are {len(body.data)} values; expected {len(fn.inputs)}.", "error"
        self._forget(session, request.state.received)
        if why := self._refused(fn, request):
            return False, why, "queue_full"
        answer = await super().push(body, request, username)
        session = body.session_hash or ""
        if body.event_id:  # Gradio may have refused it
            self._received[body.event_id] = request.state.received
        # A page's, and no program's; Gradio may have refused it.
        if request.headers.get("x-gradio-user") == "app" and session in self.pending_event_ids_session:
            self._keep_open(session)
        return answer

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next one to see to: in the order asked, but none of whoever has enough under way."""
        under_way = [event.request.state.visitor for event in self._under_way() if _long(event.fn)]
        for id, line in self.event_queue_per_concurrency_id.items():
            for event in line.queue:
                free = line.concurrency_limit is None or line.current_concurrency < line.concurrency_limit
                if free and (not _long(event.fn) or under_way.count(event.request.state.visitor) < AT_ONCE):
                    line.queue.remove(event)
                    return [event], False, id
        return None

    def _keep_open(self, session: str) -> None:
        """Have the session's stream stay open until nothing was asked for in IDLE seconds."""
        self.pending_event_ids_session[session].add(IDLER)
        if before := self._idlers.pop(session, None):
            before.cancel()
        self._idlers[session] = asyncio.get_running_loop().call_later(IDLE, self._idle, session)

    def _idle(self, session: str) -> None:
        del self._idlers[session]
        pending = self.pending_event_ids_session.get(session, set())
        messages = self.pending_messages_per_session.get(session)
        if len(pending) > 1:
            self._keep_open(session)
        elif pending and messages is not None:
            messages.put_nowait(ProcessCompletedMessage(event_id=IDLER, output={}, success=True))

    def _under_way(self) -> list[Event]:
        return [event for events in self.active_jobs if events for event in events]

    def _refused(self, fn: BlockFunction, request: Request) -> str:
        """Why it may not wait here, or nothing."""
        events = list(self.event_ids_to_events.values())
        alike = [event.request.state.visitor for event in events if _long(event.fn) == _long(fn)]
        unfetched = self.pending_event_ids_session.get(request.state.visitor[1], ())
        if why := too_many(alike.count(request.state.visitor), len(alike)):
            return why
        if len(unfetched) >= ANSWERS:
            return f"{ANSWERS} answers are waiting for you: fetch them, then ask again."
        mine, held = request.state.received, max(sum(self._received.values()), sum(self._pictures().values()))
        if mine > SMALL and held + mine > MAX_BODIES:
            return "Too many large requests are waiting: try again in a moment."
        return ""

    def _pictures(self) -> dict[str, int]:
        """Letters of those that each session's state holds, the latest session first; of strangers alone."""
        if self.blocks.permission:
            return {}
        return {
            session: sum(
                len(each.image if isinstance(each, Control) else each)
                for each in state.state_data.values()
                if isinstance(each, str | Control)
            )
            for session, state in reversed(self.blocks.state_holder.session_data.items())
        }

    def _forget(self, asking: str, asked: int) -> None:
        """The answers of the sessions before the latest, but for those that are being answered; and those to
        large requests, which may be as large, beyond a bound on all together. Likewise the state of those
        with large pictures, but for the session that asks. asked: bytes of its request.
        """
        held = asked
        alive = {event.session_hash for event in self.event_ids_to_events.values()}
        for number, session in enumerate(reversed(list(self.pending_messages_per_session))):
            mine = sum(self._received.get(id, 0) for id in self.pending_event_ids_session.get(session, ()))
            large = mine > SMALL and held + mine > MAX_BODIES
            if (large or number >= SESSIONS) and session not in alive:
                del self.pending_messages_per_session[session]
            else:
                held += mine
        for session in self.pending_event_ids_session.keys() - self.pending_messages_per_session.keys():
            del self.pending_event_ids_session[session]
        known = set(self.event_ids_to_events).union(*self.pending_event_ids_session.values())
        self._received = {id: size for id, size in self._received.items() if id in known}
        holder = self.blocks.state_holder
        closed = [session for session, state in holder.session_data.items() if state.is_closed]
        for session in closed[:-CLOSED]:
            if session not in alive:
                del holder.session_data[session], holder.time_last_used[session]
        held, stay = asked, alive | {asking}
        for session, mine in sorted(self._pictures().items(), key=lambda each: each[0] not in stay):
            if mine > SMALL and held + mine > MAX_BODIES and session not in stay:
                holder.session_data[session].state_data.clear()
            else:
                held += mine


def too_many(mine: int, all: int) -> str:
    """Why one more may not wait beside so many of the same visitor, and so many of all; or nothing."""
    if mine >= MINE:
        return f"{MINE} requests of yours are waiting: let one of them end, then ask again."
    if all >= ALL:
        return f"{ALL} requests are waiting: try again in a moment."
    return ""


def _long(fn: BlockFunction) -> bool:
    return fn.concurrency_id == LONG_WORK["concurrency_id"]
