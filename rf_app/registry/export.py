"""A model as one folder that a stock StableDiffusionPipeline loads, without this program.

The folder has every piece, also those that the model borrows; and where the scheduler is ours its code,
as diffusers looks for it: `scheduler/MODULE.py`, where model_index.json names MODULE. Code that comes with a
model runs only where the user says `trust_remote_code=True`.
"""

import json
import re
import shutil
from pathlib import Path

import diffusers
from diffusers import SchedulerMixin
from transformers import CLIPConfig

from rf_app.errors import UserError
from rf_app.registry.card import ModelCard, write_card
from rf_app.registry.checking import CONFIGS, read_json
from rf_app.registry.disk import publish_folder
from rf_app.registry.loading import feature_extractor
from rf_app.registry.models import Registry
from rf_app.schedulers.solvers import own_class

ROOT = Path(__file__).parents[2]
# What our schedulers import. Diffusers copies what the first file imports, and looks no further.
SCHEDULER_CODE = (
    "rf_app/schedulers/rectified_flow.py",
    "rf_app/schedulers/perflow.py",
    "rf_app/schedulers/betas.py",
    "rf_app/flow/conversion.py",
    "rf_app/flow/path.py",
    "rf_app/errors.py",
)
PREFIX = "instaflow_"  # diffusers puts the code of all models into one folder
CLASSES = {
    "unet": ["diffusers", "UNet2DConditionModel"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
}
ABSENT = ("safety_checker", "feature_extractor", "image_encoder")
CHECKER = {
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
}
USE = """## Use

```python
from diffusers import StableDiffusionPipeline

pipeline = StableDiffusionPipeline.from_pretrained(
    "path/to/{id}"{trust}, safety_checker=None
)
image = pipeline(
    "{prompt}", num_inference_steps={steps}, guidance_scale={guidance:g}
).images[0]
```
"""
TRUST = ", trust_remote_code=True"
CODE_NOTE = "`scheduler/` holds the sampler's code, which is read with `trust_remote_code=True` only.\n"
PROMPT = "a snowy mountain near a lake at sunset"


def export(registry: Registry, id: str, target: Path) -> Path:
    """Write the model into the folder `target`, which must not exist; whole or not at all.

    Raises UserError for an unknown model, a folder that exists or cannot be written to, and `DiskFull`.
    """
    card, pieces = registry.card(id), registry.pieces(id)
    taken = UserError(f"{target} exists already: choose another folder, or remove it.")
    if target.exists():
        raise taken

    def build(fresh: Path) -> None:
        for name, source in pieces.items():
            shutil.copytree(source, fresh / name)
        for extra in (
            pieces["text_encoder"].parent / "vocabulary.json",
            registry.folder(id) / "vocabulary.json",
        ):
            if extra.is_file():
                shutil.copyfile(extra, fresh / extra.name)
        if (checker := fresh / "safety_checker").is_dir():
            side = CLIPConfig.from_pretrained(checker).vision_config.image_size
            feature_extractor(side).save_pretrained(fresh / "feature_extractor")
        scheduler = own_class(card.kind)
        ours = scheduler.__module__.startswith("rf_app.")
        if ours:
            _write_code(fresh / "scheduler")
        (fresh / "model_index.json").write_text(json.dumps(_index(fresh, scheduler, ours), indent=2) + "\n")
        write_card(fresh, card)
        with (fresh / "README.md").open("a", encoding="utf-8") as readme:
            readme.write("\n" + _usage(card, ours))

    publish_folder(target, build, taken)
    return target


def _write_code(folder: Path) -> None:
    for name in SCHEDULER_CODE:
        source = (ROOT / name).read_text(encoding="utf-8")
        flat = re.sub(
            r"^from rf_app\.(?:\w+\.)*(\w+) import", rf"from .{PREFIX}\1 import", source, flags=re.M
        )
        (folder / f"{PREFIX}{Path(name).name}").write_text(flat, encoding="utf-8")


def _index(folder: Path, own: type[SchedulerMixin], ours: bool) -> dict:
    vae, scheduler = (
        read_json(folder / each / CONFIGS[each])["_class_name"] for each in ("vae", "scheduler")
    )
    return {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        **CLASSES,
        "vae": ["diffusers", vae],
        "scheduler": [PREFIX + own.__module__.rpartition(".")[2], own.__name__]
        if ours
        else ["diffusers", scheduler],
        **{name: [None, None] for name in ABSENT},
        **(CHECKER if (folder / "safety_checker").is_dir() else {}),
        "requires_safety_checker": False,
    }


def _usage(card: ModelCard, ours: bool) -> str:
    use = USE.format(
        id=card.id, trust=TRUST if ours else "", prompt=PROMPT, steps=card.steps, guidance=card.guidance
    )
    return f"{use}\n{CODE_NOTE}" if ours else use
