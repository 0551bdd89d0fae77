"""A model as one folder that a stock StableDiffusionPipeline loads, without this program.

    python -m rf_app export pocket-instaflow --to exported

The folder has every piece, also those that the model borrows, and a scheduler of diffusers' own that draws
the same, see `rf_app.schedulers.stock`. Where there is none it has our scheduler's code, as diffusers looks
for it: `scheduler/MODULE.py`, where model_index.json names MODULE; and likewise that of two U-Nets in a row.
Code that comes with a model runs only where the user says `trust_remote_code=True`.
"""

import json
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import diffusers
from transformers import CLIPConfig

from rf_app.registry.card import ModelCard, write_card
from rf_app.registry.checking import CONFIGS, WEIGHTS, read_json, weights_file
from rf_app.registry.disk import publish_folder
from rf_app.registry.loading import as_kind, feature_extractor, load_scheduler, model_class
from rf_app.registry.models import Registry
from rf_app.registry.recognition import PREDICTION
from rf_app.registry.stacked import SECOND, StackedUNet
from rf_app.schedulers.solvers import ETA, own_class, solvers
from rf_app.schedulers.stock import Stock, stock

ROOT = Path(__file__).parents[2]
# What our classes import. Diffusers copies what the first file imports, and looks no further.
CODE = {
    "scheduler": (
        *("rf_app/schedulers/rectified_flow.py", "rf_app/schedulers/perflow.py"),
        *("rf_app/schedulers/betas.py", "rf_app/flow/conversion.py"),
        *("rf_app/flow/path.py", "rf_app/errors.py"),
    ),
    "unet": ("rf_app/registry/stacked.py",),
}
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
{imports}from diffusers import StableDiffusionPipeline

pipeline = StableDiffusionPipeline.from_pretrained("path/to/{id}"{trust}, safety_checker=None)
image = pipeline(
    "{prompt}", {steps}, guidance_scale={guidance:g}
).images[0]
```
"""
TRUST = ", trust_remote_code=True"
CODE_NOTES = {
    "scheduler": """`scheduler/` holds the sampler's code, which is read with `trust_remote_code=True` only:
no scheduler of diffusers' own draws the same.
""",
    "unet": """`unet/` holds the code of two U-Nets in a row, which is read with `trust_remote_code=True`
only: diffusers has no such network.
""",
}
SIGMAS_NOTE = "The sigmas are those of {steps} equal steps on the straight path.\n"
NEGATED_NOTE = "The U-Net's last layer has the other sign, as diffusers' flow matching wants it.\n"
LAST_LAYER = ("conv_out.", f"{SECOND}conv_out.")  # how the names of its tensors begin
SAMPLE = "sample.png"
PROMPT = "a snowy mountain near a lake at sunset"


def export(registry: Registry, id: str, target: Path, sample: Path | None = None) -> Path:
    """Write the model into the folder `target`, which must not exist; whole or not at all.

    sample: a picture of it, for its card. Raises UserError for an unknown model, a folder that exists or
    cannot be written to, and `DiskFull`.
    """
    card, pieces = registry.card(id), registry.pieces(id)
    own = load_scheduler(pieces["scheduler"], own_class(card.kind))
    found = stock(own, card.steps)
    ours: dict[str, type] = {} if found else {"scheduler": own_class(card.kind)}  # the pieces' classes
    if model_class("unet", read_json(pieces["unet"] / CONFIGS["unet"])) is StackedUNet:
        ours["unet"] = StackedUNet

    def build(fresh: Path) -> None:
        for name, source in pieces.items():
            shutil.copytree(source, fresh / name)
            if name in WEIGHTS:  # under the name that is looked for first
                weights_file(fresh / name, name).rename(fresh / name / WEIGHTS[name])
        for extra in (
            pieces["text_encoder"].parent / "vocabulary.json",
            registry.folder(id) / "vocabulary.json",
        ):
            if extra.is_file():
                shutil.copyfile(extra, fresh / extra.name)
        if (checker := fresh / "safety_checker").is_dir():
            side = CLIPConfig.from_pretrained(checker).vision_config.image_size
            feature_extractor(side).save_pretrained(fresh / "feature_extractor")
        if found and found.scheduler is own:  # an import's folder may have another one than it is drawn with
            as_kind(own, card.kind).save_pretrained(fresh / "scheduler")
        elif found:
            _write_stock(fresh, found)
        for piece in ours:
            _write_code(fresh / piece, CODE[piece])
        (fresh / "model_index.json").write_text(json.dumps(_index(fresh, ours), indent=2) + "\n")
        write_card(fresh, card)
        if sample:
            shutil.copyfile(sample, fresh / SAMPLE)
        with (fresh / "README.md").open("a", encoding="utf-8") as readme:
            readme.write("\n" + _usage(card, found, ours) + _licences(registry, card))
            readme.write(f"\n![What it draws]({SAMPLE})\n" if sample else "")

    publish_folder(target, build)
    return target


def _write_code(folder: Path, files: Sequence[str]) -> None:
    for name in files:
        source = (ROOT / name).read_text(encoding="utf-8")
        flat = re.sub(
            r"^from rf_app\.(?:\w+\.)*(\w+) import", rf"from .{PREFIX}\1 import", source, flags=re.M
        )
        (folder / f"{PREFIX}{Path(name).name}").write_text(flat, encoding="utf-8")


def _write_stock(fresh: Path, found: Stock) -> None:
    """Put diffusers' scheduler in the place of ours, which can read its config, too."""
    found.scheduler.save_pretrained(fresh / "scheduler")
    path = fresh / "scheduler" / CONFIGS["scheduler"]
    path.write_text(json.dumps(read_json(path) | {PREDICTION: found.prediction}, indent=2) + "\n")
    if found.negated:
        _negate(fresh / "unet" / WEIGHTS["unet"], LAST_LAYER)


def _negate(path: Path, beginnings: tuple[str, ...]) -> None:
    """Turn the sign of all tensors of a safetensors file whose names begin so: a bit of each number."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        for name, info in json.loads(file.read(length)).items():
            if name.startswith(beginnings):
                begin, end = info["data_offsets"]
                width = (end - begin) // math.prod(info["shape"])
                file.seek(8 + length + begin)
                values = bytearray(file.read(end - begin))
                values[width - 1 :: width] = bytes(each ^ 0x80 for each in values[width - 1 :: width])
                file.seek(8 + length + begin)
                file.write(values)


def _index(folder: Path, ours: Mapping[str, type]) -> dict:
    vae, scheduler = (
        read_json(folder / each / CONFIGS[each])["_class_name"] for each in ("vae", "scheduler")
    )
    return {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        **CLASSES,
        "vae": ["diffusers", vae],
        "scheduler": ["diffusers", scheduler],
        **{piece: [PREFIX + cls.__module__.rpartition(".")[2], cls.__name__] for piece, cls in ours.items()},
        **{name: [None, None] for name in ABSENT},
        **(CHECKER if (folder / "safety_checker").is_dir() else {}),
        "requires_safety_checker": False,
    }


def _usage(card: ModelCard, found: Stock | None, ours: Mapping[str, type]) -> str:
    steps = f"num_inference_steps={card.steps}"
    notes = [CODE_NOTES[piece] for piece in ours]
    if found and found.sigmas:
        steps = f"sigmas={found.sigmas}"
        notes.append(SIGMAS_NOTE.format(steps=card.steps))
    if eta := ETA.get(solvers(card.kind)[0]):
        steps += f", eta={eta}"
    if found and found.negated:
        notes.append(NEGATED_NOTE)
    use = USE.format(
        id=card.id,
        imports="import numpy\n" if "numpy" in steps else "",
        trust=TRUST if ours else "",
        prompt=PROMPT,
        steps=steps,
        guidance=card.guidance,
    )
    return "\n".join((use, *notes))


def _licences(registry: Registry, card: ModelCard) -> str:
    """The licences of what it was made from, which hold for it as well."""
    here = {each.id: each.license for each in registry.cards()}
    bases = {id: here[id] for id in (*card.lineage, card.base_model) if id in here}
    of_bases = "".join(f", made from `{id}` ({license})" for id, license in bases.items())
    return f"\nLicence: {card.license}{of_bases}.\n"
