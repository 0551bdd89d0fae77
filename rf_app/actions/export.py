"""A model, LoRA or ControlNet as one folder, or one ZIP, to take along.

python -m rf_app export pocket-instaflow --to exported
python -m rf_app export pocket-instaflow --to exported --layout single-file
python -m rf_app export pocket-instaflow --to exported --layout onnx
python -m rf_app export lora/pocket-woodcut --to exported --archive
"""

import json
import shutil
import zipfile
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.collection import DECODER, SHELVES, TRANSLATION, Thing, thing
from rf_app.actions.other_programs import CONTROLNET, GRAPHS, LORA, settings_for
from rf_app.actions.progress import Events, result_in
from rf_app.actions.reported import Report, reported
from rf_app.actions.samples import draw_sample, is_quick, sample_at_hand
from rf_app.errors import UserError
from rf_app.plugins.graphs import check_installed, script, write_graphs
from rf_app.plugins.lora import Fitted, read_lora
from rf_app.plugins.one_file import fitted_to, write_lora, write_model
from rf_app.registry.card import README, Card, ModelCard, write_card
from rf_app.registry.checking import CONFIGS, read_json, weights_file
from rf_app.registry.disk import (
    disk_full_named,
    hidden_folder,
    put_in_place,
    sync_tree,
    there_already,
    writable,
)
from rf_app.registry.export import PROMPT, SAMPLE
from rf_app.registry.export import export as export_model
from rf_app.registry.loading import load, load_scheduler
from rf_app.registry.loras import LoraCard
from rf_app.registry.models import Registry
from rf_app.registry.recognition import INDEX
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.schedulers.solvers import own_class

SINGLE_FILE, ONNX = "single-file", "onnx"
LEFT_OUT = ("vae_encoder", "safety_checker", "feature_extractor")  # of a folder of graphs
LAYOUTS = ("diffusers", SINGLE_FILE, ONNX)


@dataclass(frozen=True)
class Export:
    """What to take along, and where to."""

    id: str
    """Id of a model, or lora/ID, controlnet/ID or translation/ID."""
    to: Path = Path("exported")
    """The folder in which its own, or its ZIP, is made."""
    archive: bool = False
    """Make one ZIP instead of a folder; weights hardly shrink, so nothing is compressed."""
    layout: str = "diffusers"
    """One of "diffusers", "single-file" (one safetensors file for ComfyUI, Forge and A1111, and how to use
    it) or "onnx" (graphs, and a script that draws with them in onnxruntime).
    """


def export(app: Application, wish: Export) -> Events[Path]:
    """Write a model as stock diffusers loads it, or a LoRA's or ControlNet's folder; whole or not at all.

    Or as one safetensors file for ComfyUI, Forge and A1111; or a rectified flow as ONNX graphs.
    """
    if wish.layout not in LAYOUTS:
        raise UserError(f"layout is {wish.layout!r:.40}; expected one of {', '.join(LAYOUTS)}.")
    found = thing(app, wish.id)
    name = f"{found.card.id}.zip" if wish.archive else found.card.id
    target = wish.to / name
    if target.exists():
        raise there_already(target)

    sample = (yield from _sample(app, found)) if isinstance(found.card, ModelCard) else None

    def write(report: Report) -> Path:
        with writable(wish.to), disk_full_named(target), hidden_folder(wish.to, name) as hidden:
            fresh = hidden / found.card.id
            report(0, 1, "Copying")
            if wish.layout == SINGLE_FILE:
                fresh.mkdir()
                _single_file(app, found, fresh, sample, report)
            elif wish.layout == ONNX:
                fresh.mkdir()
                _graphs(app, found, fresh, sample, report)
            elif isinstance(found.card, ModelCard):
                export_model(app.registry, found.card.id, fresh, sample)
            else:
                shutil.copytree(found.folder, fresh)
            if wish.archive:
                fresh = _zipped(fresh, hidden / name, report)
            else:
                sync_tree(fresh)
            if not put_in_place(fresh, target, overwrite=False):
                raise there_already(target)
        return target

    yield (yield from reported(write, "MB", 1e6))


def _single_file(app: Application, found: Thing, folder: Path, sample: Path | None, report: Report) -> None:
    """One safetensors file, and README.md: what it is, and how other programs draw with it."""
    card, target = found.card, folder / f"{found.card.id}.safetensors"
    if isinstance(card, ModelCard):
        pieces = app.registry.pieces(card.id)
        own = load_scheduler(pieces["scheduler"], own_class(card.kind))
        negated = isinstance(own, RectifiedFlowScheduler) and own.config.prediction_type == "velocity"
        config = dict(own.config) | ({"prediction_type": "flow_prediction"} if negated else {})
        write_model(target, card, pieces, config, negated, report)
        use = settings_for(card, own, read_json(pieces["unet"] / CONFIGS["unet"]))
    elif isinstance(card, LoraCard):
        write_lora(target, card, _fitted(app, card))
        trigger = f" behind `{card.trigger}`" if card.trigger else ""
        use = LORA.format(id=card.id, strength=card.strength, trigger=trigger)
    elif found.kind in (DECODER, TRANSLATION):
        raise UserError(f"{card.id}: a {SHELVES[found.kind].lower()} is taken along as it is, as a folder.")
    else:  # they read it as diffusers has it
        shutil.copyfile(weights_file(found.folder, "controlnet"), target)
        use = CONTROLNET.format(id=card.id)
    _write_readme(folder, card, use, sample)


def _graphs(app: Application, found: Thing, folder: Path, sample: Path | None, report: Report) -> None:
    """ONNX graphs, configs and tokenizer, and a script that draws with them."""
    card = found.card
    if not isinstance(card, ModelCard) or not own_class(card.kind).__module__.startswith("rf_app."):
        raise UserError(f"{card.id} cannot be drawn in plain onnxruntime: expected a rectified flow.")
    check_installed()
    plain = export_model(
        app.registry, card.id, folder.with_name("plain") / card.id
    )  # for diffusers' scheduler
    pieces = Registry([plain.parent]).pieces(card.id)
    pipeline = load(pieces, card.kind)
    apart = write_graphs(folder, pipeline, lambda text: report(0, 1, text))
    for name, piece in (("text_encoder", "text_encoder"), ("unet", "unet"), ("vae_decoder", "vae")):
        shutil.copyfile(pieces[piece] / CONFIGS[piece], folder / name / CONFIGS[piece])
    shutil.copytree(pieces["scheduler"], folder / "scheduler")
    pipeline.tokenizer.save_pretrained(folder / "tokenizer")
    index = read_json(plain / INDEX)
    parts = {name: ["diffusers", "OnnxRuntimeModel"] for name in apart} | {
        key: [None, None] for key in LEFT_OUT
    }
    index |= {"_class_name": "OnnxStableDiffusionPipeline", **parts}
    del index["vae"], index["image_encoder"]
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n")
    (folder / "draw.py").write_text(script(card, pipeline, PROMPT), encoding="utf-8")
    compared = ", ".join(f"{name} {each:.1g}" for name, each in apart.items())
    _write_readme(folder, card, GRAPHS.format(prompt=PROMPT, compared=compared), sample)


def _write_readme(folder: Path, card: Card, use: str, sample: Path | None) -> None:
    """The card, how to use what lies beside it, and a picture."""
    write_card(folder, card)
    if sample:
        shutil.copyfile(sample, folder / SAMPLE)
        use += f"\n![What it draws]({SAMPLE})\n"
    with (folder / README).open("a", encoding="utf-8") as readme:
        readme.write(f"\n{use}")


def _fitted(app: Application, card: LoraCard) -> Fitted:
    """A LoRA's layers in the model that it was trained on, or else in one that it fits."""
    lora, here = read_lora(app.loras.file(card.id)), [each.id for each in app.registry.cards()]
    for id in sorted(here, key=lambda id: id != card.base_model):
        with suppress(UserError):
            return fitted_to(lora, app.registry.pieces(id))
    raise UserError(f"{card.id}: there is no model here that it was made for, which names its layers.")


def _sample(app: Application, found: Thing) -> Generator[Any, None, Path | None]:
    """A picture for the card, which is drawn where that takes little."""
    sample = sample_at_hand(app, found)
    if sample is None and is_quick(app, found):
        with suppress(UserError):  # it is an extra
            sample = yield from result_in(draw_sample(app, found))
    return sample


def _zipped(folder: Path, target: Path, report: Report) -> Path:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    total, done = sum(path.stat().st_size for path in paths), 0
    with zipfile.ZipFile(target, "w") as archive:
        for path in paths:
            report(done, total, "Packing")
            archive.write(path, path.relative_to(folder.parent))
            done += path.stat().st_size
    return target


def answer(app: Application, made: list[Path]) -> dict[str, Any]:
    """Where it is."""
    return {"path": str(made[0])}
