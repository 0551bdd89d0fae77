"""The worker of a Space on ZeroGPU, whose GPU is lent for seconds at a time.

`spaces` keeps what has been put on "cuda" at the start, takes it along into a process of its own when a
function that it knows is called, and lends that a GPU. It asks the request at hand whose time is counted: so
pictures are drawn from the thread that serves it, several at a time, and not from one that owns the device.
"""

import re
from contextlib import suppress

from rf_app.errors import UserError
from rf_app.pipeline.drawn import Drawn
from rf_app.pipeline.turns import Line, Turn
from rf_app.pipeline.worker import Asked, Worker
from rf_app.registry.models import Registry

SECONDS = 10  # for a picture, the way of the weights to the GPU included; a visitor must have as many left


class ZeroGpuWorker(Worker):
    """Draws where it is called; to be made on the main thread, before the page is launched."""

    def __init__(self, registry: Registry, safety_checker: bool = False, device: str = "cuda"):
        """As for `Worker`; loads all models that there is room for."""
        import spaces  # elsewhere it is not there; it changes PyTorch

        super().__init__(registry, device, safety_checker=safety_checker)
        for card in registry.cards():
            with suppress(UserError):  # whoever asks for it hears of it
                self._models.get(card.id)
        self._lent = spaces.GPU(self._on_gpu, duration=SECONDS)

    def _take(self, asked: Asked, line: Line) -> Turn[Drawn]:
        """As the worker's own, but that no step is heard of, and an observer is refused: UserError."""
        if asked.observe:
            raise UserError("A picture's way is not seen on ZeroGPU: run your own copy of this page.")
        yield None
        try:
            found = self._lent(asked)
        except Exception as error:  # gradio's: no time left, no GPU free, or its process failed
            said = re.sub("<[^>]*>", "", str(getattr(error, "message", error)))
            raise UserError(f"ZeroGPU: {said}") from error
        if isinstance(found, UserError):
            raise found
        return found

    def _on_gpu(self, asked: Asked) -> Drawn | UserError:
        """A picture, in the process that has the GPU; of an error that it raises only the name comes back."""
        try:
            return self._drawn(asked, lambda step: None)
        except UserError as error:
            return error
