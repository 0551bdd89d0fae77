"""The `/upload_lora` endpoint: a LoRA's file for the calls of the same client.

from gradio_client import Client, handle_file
client = Client("http://127.0.0.1:7860")
lora = client.predict(handle_file("woodcut.safetensors"), api_name="/upload_lora")
client.predict("a lake", loras=[{"id": lora["id"], "strength": 0.8}], api_name="/generate")
"""

from pathlib import Path

import gradio as gr

from rf_app.errors import UserError
from rf_app.registry.disk import DiskFull
from rf_app.ui.lora_panel import session_of
from rf_app.workflows.generate import Studio

LORAS = {
    "type": "array",
    "items": {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"id": {"type": "string"}, "strength": {"type": "number"}},
                "required": ["id"],
            },
        ]
    },
}


def build(studio: Studio) -> None:
    """Add the endpoint to the Blocks at hand; its parts are never shown."""
    with gr.Column(visible=False):
        file = gr.File(label="LoRA, a safetensors file")
        model = gr.Textbox("", label="Model id")
        found = gr.JSON(label="The LoRA")

    def upload_lora(file: str, model: str = "", asked_by: gr.Request = None) -> dict:
        """Upload a LoRA for the calls of this session, which nobody else can see or use.

        Args:
            file: A safetensors file with the keys of diffusers, PEFT or kohya.
            model: Id of the model that it has to fit (default: the quick one-step model).

        Returns:
            Its id, for the loras of generate; its title, trigger words and size in bytes.
        """
        path = Path(file) if file else None
        try:
            if path is None:
                raise UserError("file is missing: give a LoRA, a safetensors file.")
            upload = studio.loras.upload(path, path.name, model or studio.first_model(), session_of(asked_by))
        except (UserError, DiskFull) as error:
            raise gr.Error(str(error), print_exception=False) from None
        finally:
            if path:
                path.unlink(missing_ok=True)
        return {
            "id": upload.id,
            "title": upload.title,
            "trigger": upload.trigger,
            "bytes": upload.size,
        }

    gr.on(
        [],
        upload_lora,
        [file, model],
        found,
        api_name="upload_lora",
        show_progress="hidden",
        # Queued calls of all MCP clients have one session in common; these have none, and are refused.
        queue=False,
    )
