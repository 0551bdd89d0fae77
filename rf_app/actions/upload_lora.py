"""A LoRA's file for the wishes of the same session.

from gradio_client import Client, handle_file

client = Client("http://127.0.0.1:7860")
lora = client.predict(handle_file("woodcut.safetensors"), api_name="/upload_lora")
client.predict("a lake", loras=[{"id": lora["id"], "strength": 0.8}], api_name="/generate")
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rf_app.actions import loras
from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.progress import Events
from rf_app.errors import UserError
from rf_app.plugins.uploads import Upload


@dataclass(frozen=True)
class UploadLora:
    """What to keep."""

    file: File
    """A safetensors file of a LoRA, LoHa, LoKr, DoRA or full difference, as trainers and ComfyUI have it."""
    model: str = ""
    """Id of the model that it has to fit (default: the quick one-step model)."""
    kind: str = ""
    """What it makes of a diffusion model: consistency, trajectory-consistency or few-step (default: what its
    name and header say).
    """


def upload_lora(app: Application, wish: UploadLora) -> Events[Upload]:
    """Upload a LoRA for the calls of this session, which nobody else can see or use."""
    if not isinstance(wish.file, File):
        raise UserError("file is missing: give a LoRA, a safetensors file.")
    model = wish.model or app.first_model()
    yield loras.upload(app, Path(wish.file.content), wish.file.name, model, wish.kind)


def answer(app: Application, uploads: list[Upload]) -> dict[str, Any]:
    """Its id, for the loras of generate; its title, trigger words, recommended strength and size in bytes;
    the kind that a diffusion model becomes with it, if any; and the names of what is not used of it.
    """
    found = uploads[0]
    said = {name: getattr(found, name) for name in ("id", "title", "trigger", "strength", "kind")}
    return said | {"bytes": found.size, "unused": list(found.unused)}
