"""This studio as a Space on the Hugging Face Hub, as the one who is logged in there.

    python -m rf_app space OWNER/NAME
    python -m rf_app space OWNER/NAME --model my-boats     # with a model of one's own, which it opens with
    python -m rf_app space OWNER/NAME --zero-gpu           # InstaFlow on a GPU that is lent for each picture
    python -m rf_app space OWNER/NAME --to prepared        # the files alone, to be looked at

The front matter of README.md says what the Space runs on. `space.py`, which starts it, brings in what the Hub
fetched when it was built.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import SpaceCard, SpaceHardware, create_repo, upload_folder

from rf_app.actions.application import Application
from rf_app.actions.as_job import start_job
from rf_app.actions.collection import thing
from rf_app.actions.progress import Clock, Events
from rf_app.actions.push import uploading
from rf_app.actions.samples import sample_at_hand
from rf_app.actions.words import in_bytes
from rf_app.errors import UserError
from rf_app.jobs.job import Job
from rf_app.jobs.processes import ROOT
from rf_app.plugins.deltas import HUB_NAME
from rf_app.registry.card import README, ModelCard
from rf_app.registry.catalogue import entry_of
from rf_app.registry.disk import publish_folder
from rf_app.registry.export import SAMPLE
from rf_app.registry.export import export as export_model

KIND = "space"  # of its jobs
REQUIREMENTS = "requirements.txt"
FILES = ("app.py", "LICENSE", "SECURITY.md", "pyproject.toml", REQUIREMENTS)
FOLDERS = ("rf_app", "trainers", "assets", "docs")
MOST = 2**30  # bytes that a Space's own files may take
STARTED_BY = "space.py"
INSTAFLOW = "XCLiu/instaflow_0_9B_from_sd_1_5"
FETCHED = {  # on ZeroGPU, and which files where not all are needed; whoever lends pieces comes first
    "stable-diffusion-v1-5/stable-diffusion-v1-5": (
        "model_index.json",
        "scheduler/scheduler_config.json",
        *(f"tokenizer/{name}" for name in ("merges.txt", "special_tokens_map.json", "tokenizer_config.json")),
        "tokenizer/vocab.json",
        *(f"{name}/config.json" for name in ("safety_checker", "text_encoder", "unet", "vae")),
        *(f"{name}/model.fp16.safetensors" for name in ("safety_checker", "text_encoder")),
        *(f"{name}/diffusion_pytorch_model.fp16.safetensors" for name in ("unet", "vae")),
    ),
    INSTAFLOW: (),
}
PYTHON = "3.12.12"  # of ZeroGPU
START = '''"""The start of this Space, as `python -m rf_app space` has written it."""

import os
import subprocess
import sys

{first}os.environ.setdefault("INSTAFLOW_MODEL", "{model}")
# The Hub fetched these when it built the Space. A process of its own wants no GPU.
without = {{key: value for key, value in os.environ.items() if key != "SPACES_ZERO_GPU"}}
for name in {fetched}:
    subprocess.run([sys.executable, "-m", "rf_app", "import-model", name], env=without, check=False)

from app import main  # noqa: E402

main()
'''
LICENCES = (
    "\n## The models of this Space\n\nThe code is under {code}. The models have licences of their own:\n\n"
)


@dataclass(frozen=True)
class Space:
    """What the Space is called, and what it has."""

    repo: str
    """OWNER/NAME of the Space on the Hub; it is made where it is not there."""
    model: str = ""
    """Id of a model of your own that goes along, and that the page opens with; up to 1 GB."""
    zero_gpu: bool = False
    """Make it for ZeroGPU, with Stable Diffusion 1.5 and InstaFlow-0.9B."""
    to: Path | None = None
    """Only prepare its files, in this folder, which must not exist; nothing is uploaded."""


def start_space(app: Application, wish: Space) -> Job:
    """Queue the making of a Space; raises UserError."""
    app.permission.check("Making a Space")
    check(app, wish)
    return start_job(app, KIND, wish, "Uploading", f"Space {wish.repo}")


def check(app: Application, wish: Space) -> None:
    """Raise UserError for what is no name on the Hub, and for a model that is not here or is too large."""
    if not HUB_NAME.fullmatch(wish.repo):
        raise UserError(f"{wish.repo!r:.80} is no name on the Hub: expected OWNER/NAME.")
    if not (ROOT / REQUIREMENTS).is_file():
        raise UserError("A Space is made of a clone of this program: an installed package lacks its files.")
    if wish.model:
        if not isinstance(thing(app, wish.model).card, ModelCard):
            raise UserError(f"{wish.model} is no model: a Space opens with one.")
        pieces = app.registry.pieces(wish.model).values()
        size = sum(path.stat().st_size for piece in pieces for path in piece.rglob("*") if path.is_file())
        if size > MOST:
            raise UserError(
                f"{wish.model} takes {in_bytes(size)}, and the files of a Space may take {in_bytes(MOST)}."
            )


def space(app: Application, wish: Space) -> Events[str]:
    """Prepare a Space's files and upload them; gives its address, or the folder where they are."""
    check(app, wish)
    yield Clock(1).at(0, "Preparing")
    if wish.to:
        yield _prepared(app, wish, wish.to)
        return
    with TemporaryDirectory() as name:
        folder = _prepared(app, wish, Path(name) / "space")
        yield Clock(1).at(0, f"Uploading to {wish.repo}")
        hardware = SpaceHardware.ZERO_A10G if wish.zero_gpu else None
        with uploading():
            made = create_repo(
                wish.repo, repo_type="space", space_sdk="gradio", space_hardware=hardware, exist_ok=True
            )
            # What an earlier version had beside would be imported.
            old = [f"{each}/**" for each in FOLDERS]
            upload_folder(repo_id=wish.repo, repo_type="space", folder_path=folder, delete_patterns=old)
    yield str(made)


def answer(app: Application, made: list[str]) -> dict[str, Any]:
    """Its address, or its folder."""
    return {"address": made[0]}


def _prepared(app: Application, wish: Space, target: Path) -> str:
    """Write the files into a folder, whole or not at all."""

    def build(fresh: Path) -> None:
        for name in FILES:
            shutil.copyfile(ROOT / name, fresh / name)
        for name in FOLDERS:
            shutil.copytree(ROOT / name, fresh / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        card = SpaceCard((ROOT / README).read_text(encoding="utf-8"), ignore_metadata_errors=False)
        licences = {}
        if wish.model:
            own = thing(app, wish.model)
            licences[wish.model] = own.card.license
            if not own.store.is_bundled(wish.model):
                own_folder = fresh / "assets/models" / wish.model
                export_model(app.registry, wish.model, own_folder, sample_at_hand(app, own))
        if wish.zero_gpu:
            licences |= {name: entry_of(name).license for name in FETCHED}
            _for_zero_gpu(card, fresh)
        if licences:
            first = (
                "import spaces  # noqa: F401 (before PyTorch, which it changes)\n\n" if wish.zero_gpu else ""
            )
            opens_with = wish.model or entry_of(INSTAFLOW).id
            fetched = "".join(f'\n    "{name}",' for name in FETCHED) + "\n" if wish.zero_gpu else ""
            start = START.format(first=first, model=opens_with, fetched=f"({fetched})")
            (fresh / STARTED_BY).write_text(start, encoding="utf-8")
            card.data.app_file = STARTED_BY
            listed = "\n".join(f"- `{name}`: {license}" for name, license in licences.items())
            card.text += LICENCES.format(code=card.data.license) + listed + "\n"
        shown = f"assets/models/{wish.model}/{SAMPLE}"
        shown = shown if (fresh / shown).is_file() else "assets/screenshot.png"
        card.data["thumbnail"] = f"https://huggingface.co/spaces/{wish.repo}/resolve/main/{shown}"
        card.save(fresh / README)

    publish_folder(target, build)
    return str(target)


def _for_zero_gpu(card: SpaceCard, folder: Path) -> None:
    """Its front matter, and the libraries in versions that ZeroGPU has."""
    card.data.python_version = PYTHON
    card.data.models = list(FETCHED)
    card.data["suggested_hardware"] = SpaceHardware.ZERO_A10G.value
    card.data["preload_from_hub"] = [f"{name} {','.join(files)}".strip() for name, files in FETCHED.items()]
    shutil.copyfile(ROOT / "requirements-zero-gpu.txt", folder / REQUIREMENTS)
