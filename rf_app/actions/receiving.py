"""From files that have arrived to something in a store: a model, a LoRA, a ControlNet or a tiny decoder."""

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from safetensors.torch import load_file, save_file

from rf_app.actions.application import Application
from rf_app.actions.gathering import Placing, begin_anew_unless, gather_model, gather_piece, refer
from rf_app.actions.loras import not_used
from rf_app.actions.reported import Report
from rf_app.actions.sharing import share
from rf_app.actions.single_file import (
    check_layout,
    gather_controlnet_file,
    gather_decoder_file,
    gather_single_file,
    layouts,
)
from rf_app.errors import UserError
from rf_app.plugins.checking import Header
from rf_app.plugins.checkpoint import header_of
from rf_app.plugins.lora import LoraFile, check_header, read_lora
from rf_app.plugins.lora_header import MAX_TEXT
from rf_app.plugins.one_file import fitted_to
from rf_app.registry.card import README, ModelCard, license_in, read_card, read_front
from rf_app.registry.catalogue import entry_of
from rf_app.registry.checking import CONFIGS, TINY, read_json
from rf_app.registry.controlnets import ControlNetCard, check_base
from rf_app.registry.decoders import DecoderCard, check_called, check_tiny
from rf_app.registry.disk import link_or_copy
from rf_app.registry.file_recognition import CONTROLNET, DECODER, LORA, MODEL, recognize_file
from rf_app.registry.loras import LoraCard, made_for, sampling_in
from rf_app.registry.recognition import (
    INDEX,
    LORA_WEIGHTS,
    PEFT_CONFIG,
    PEFT_WEIGHTS,
    RECOMMENDED,
    Recognized,
    called_in,
    check_no_delta,
    recognize,
    recognize_folder,
)


@dataclass(frozen=True)
class Parcel:
    """What has arrived for a store.

    source: what was asked for; path: the file or folder; id, title, kind: what was chosen, "" for its own;
    place: how weights of a folder get a name here.
    """

    source: str
    path: Path
    id: str
    title: str
    kind: str
    place: Placing

    @property
    def called(self) -> str:
        """A title: the chosen one, or the source's own name."""
        return self.title or called_in(self.source)[:80] or self.id

    @property
    def about(self) -> str:
        """A description for its card."""
        return f"Imported from `{called_in(self.source)}`."


@dataclass(frozen=True)
class Arrival:
    """Something that is in a store now; what: MODEL, CONTROLNET, LORA or DECODER."""

    what: str
    folder: Path


def receive(app: Application, parcel: Parcel, files: Path, report: Report) -> Arrival:
    """Publish what a parcel holds; files: a folder for what is made of it on the way.

    Raises UserError for what is none of them, or not whole, naming it.
    """
    path = parcel.path if parcel.path.is_file() else recognize_folder(parcel.path, parcel.source)
    if path.is_file():
        what = _recognized(parcel.source, path.name, header_of(path), path.stat().st_size)
        begin_anew_unless([path], files)
    else:
        config = path / CONFIGS["controlnet"]
        tiny = config.is_file() and read_json(config).get("_class_name") == TINY
        what = DECODER if tiny else CONTROLNET if config.is_file() else MODEL
    make = {MODEL: _model, CONTROLNET: _controlnet, LORA: _lora, DECODER: _decoder}[what]
    return Arrival(what, make(app, replace(parcel, path=path), files, report))


def check_file(app: Application, source: str, name: str, header: Header, size: int) -> None:
    """Raise UserError for a file of `size` bytes that `receive` would refuse by its header.

    source: what was asked for; name: what the file is called.
    """
    what = _recognized(source, name, header, size)
    if what in (MODEL, CONTROLNET):
        check_layout(app.registry, what, name, header)
    elif what == DECODER:
        check_called(called_in(source))


def _recognized(source: str, name: str, header: Header, size: int) -> str:
    what = recognize_file(name, {each: info.shape for each, info in header.tensors.items()})
    if what == MODEL:
        check_no_delta(source)
    elif what == LORA:
        check_header(name, header, size)
    return what


def _model(app: Application, parcel: Parcel, files: Path, report: Report) -> Path:
    lender = ""
    if parcel.path.is_file():
        lender = gather_single_file(app.registry, parcel.path, files, report)
    else:
        gather_model(parcel.path, files, report, parcel.place)
    report(1, 1, "Checking the model…")
    card, found = _model_card(parcel, files, lender)
    if found.scheduler:
        (files / "scheduler" / CONFIGS["scheduler"]).write_text(json.dumps(found.scheduler))
    share(app.registry, files, links=parcel.place is refer)
    return app.registry.publish(parcel.id, lambda folder: _name_again(files, folder), card)


def _controlnet(app: Application, parcel: Parcel, files: Path, report: Report) -> Path:
    if parcel.path.is_file():
        gather_controlnet_file(app.registry, parcel.path, files, report)
    else:
        check_base(parcel.called, read_json(parcel.path / CONFIGS["controlnet"]))
        gather_piece(parcel.path, files, report, parcel.place, CONTROLNET)
    report(1, 1, "Checking the ControlNet…")
    named = ControlNetCard.by_name(called_in(parcel.source).lower())
    card = replace(
        named, id=parcel.id, title=parcel.called, description=parcel.about, license=_license(files)
    )
    return app.controlnets.publish(parcel.id, lambda folder: _name_again(files, folder), card)


def _decoder(app: Application, parcel: Parcel, files: Path, report: Report) -> Path:
    if parcel.path.is_file():
        gather_decoder_file(parcel.path, files, report)
    else:
        gather_piece(parcel.path, files, report, parcel.place, DECODER)
    report(1, 1, "Checking the decoder…")
    check_tiny(called_in(parcel.source), read_json(files / CONFIGS["decoder"]))
    card, entry = read_card(files, DecoderCard), entry_of(parcel.source)
    if card == DecoderCard.by_name(files.name):  # it has none of ours
        about, license = (entry.about, entry.license) if entry else (parcel.about, _license(files))
        card = replace(card, title=parcel.called, description=about, license=license)
    return app.decoders.publish(parcel.id, lambda folder: _name_again(files, folder), card)


def _lora(app: Application, parcel: Parcel, files: Path, report: Report) -> Path:
    report(1, 1, "Checking the LoRA…")
    entry = entry_of(parcel.source)
    named = f"{parcel.path.parent.name} " if parcel.path.name == LORA_WEIGHTS else ""
    file, place = parcel.path, parcel.place or shutil.copyfile
    read = read_lora(file)
    if file.name == PEFT_WEIGHTS and file.with_name(PEFT_CONFIG).is_file():
        file, place = _with_alpha(file, files / LORA_WEIGHTS), link_or_copy
        read = read_lora(file)
    said = read.said | sampling_in(named + called_in(parcel.source))
    said["license"] = _license(parcel.path.parent)
    with suppress(UserError):
        trigger = read_front(parcel.path.parent / README)[0].get("instance_prompt")  # as the Hub has it
        said |= {"trigger": " ".join(trigger.split())[:MAX_TEXT]} if isinstance(trigger, str) else {}
    if entry:
        said |= {name: getattr(entry, name) for name in ("license", "kind", "steps", "guidance")}
    if parcel.kind and parcel.kind != said.get("kind"):
        said |= made_for(parcel.kind)
    unused = *read.unused, *_without_place(app, parcel.called, read)
    about = f"{entry.about if entry else parcel.about} {not_used(unused)}".strip()
    card = LoraCard(parcel.id, parcel.called, about, settings={"imported": called_in(parcel.source)}, **said)
    return app.loras.publish(parcel.id, lambda folder: place(file, folder / LORA_WEIGHTS), card)


def _with_alpha(file: Path, target: Path) -> Path:
    """Write a checked LoRA of PEFT's, whose alpha lies in a config beside it, with that in its header as
    diffusers has it; returns `target`.
    """
    config = read_json(file.with_name(PEFT_CONFIG))
    alpha = config.get("lora_alpha", config.get("alpha"))  # LoRA's, or that of LoHa and LoKr
    said = {"lora_alpha": alpha, "alpha_pattern": config.get("alpha_pattern") or {}}
    said |= {"use_rslora": bool(config.get("use_rslora"))}
    named = {f"base_model.{name}": value for name, value in said.items() if value is not None}
    save_file(load_file(file), target, {"lora_adapter_metadata": json.dumps(named)})
    return target


def _without_place(app: Application, called: str, lora: LoraFile) -> tuple[str, ...]:
    """The layers that the first shape of model which a LoRA fits has not.

    Raises UserError for a LoRA that fits neither Stable Diffusion nor any model at hand.
    """
    faults = []
    here = (app.registry.pieces(card.id) for card in app.registry.cards() if card.kind != "diffusion")
    for pieces in chain(layouts(app.registry), here):
        try:
            return fitted_to(lora, pieces).unused
        except UserError as error:
            faults.append(error)
    raise UserError(f"{called}: fits neither Stable Diffusion 1.x or 2.x nor a model at hand. {faults[0]}")


def _name_again(files: Path, folder: Path) -> None:
    """Give what has been gathered a name in a folder of a store."""
    for path in sorted(files.rglob("*")):
        if path.is_file() and path.name not in (README, INDEX):
            new = folder / path.relative_to(files)
            new.parent.mkdir(exist_ok=True)
            link_or_copy(path, new)


def _model_card(parcel: Parcel, files: Path, lender: str) -> tuple[ModelCard, Recognized]:
    """What the model's own card says, or what its files tell; a kind that was chosen comes first."""
    with suppress(UserError):
        own = read_card(files)
        found = recognize(files, parcel.source, parcel.kind or own.kind)
        if found.kind != own.kind:
            steps, guidance = RECOMMENDED[found.kind]
            own = replace(own, kind=found.kind, steps=steps, guidance=guidance)
        return replace(own, title=parcel.title or own.title), found
    entry = entry_of(parcel.source)
    found = recognize(files, parcel.source, parcel.kind)
    unet = read_json(files / "unet" / CONFIGS["unet"])
    size = unet.get("sample_size")
    steps, guidance = (entry.steps, entry.guidance) if entry else RECOMMENDED[found.kind]
    if found.kind == "consistency" and not unet.get("time_cond_proj_dim"):
        guidance = 1.0  # it does not take it as an input
    said = f" The pieces it lacks are those of `{lender}`." if lender else ""
    said += _without_checker(files)
    card = ModelCard(
        id=parcel.id,
        title=parcel.called,
        kind=found.kind,
        description=(entry.about if entry else parcel.about) + said,
        resolution=8 * size if isinstance(size, int) else 512,
        steps=steps,
        guidance=guidance,
        license=entry.license if entry else _license(files),
        settings={"imported": parcel.source if entry else called_in(parcel.source)},
    )
    return card, found


def _without_checker(files: Path) -> str:
    """Says it where the model has a safety checker that could not be taken along."""
    index = read_json(files / INDEX) if (files / INDEX).is_file() else {}
    if index.get("safety_checker") in (None, [None, None]) or (files / "safety_checker").is_dir():
        return ""
    return " Its safety checker is left out: it has no safetensors file."


def _license(files: Path) -> str:
    """What the README.md of a folder from elsewhere says, in its front matter."""
    found = None
    with suppress(UserError):
        found = license_in(read_front(files / README)[0])
    return found if found and isinstance(found, str) else "unknown"
