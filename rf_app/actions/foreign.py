"""What other programs write into their pictures: readers for A1111 and Forge, Fooocus, ComfyUI, InvokeAI.

It may come from anyone: texts stay texts, and numbers are looked at where they are used.

A1111: `modules/infotext_utils.py`; Fooocus: `modules/meta_parser.py`; ComfyUI: the graphs that `SaveImage` in
`nodes.py` writes; InvokeAI: `invokeai/app/invocations/metadata.py`, and `sd-metadata` before version 3.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rf_app.errors import UserError
from rf_app.pipeline.prompts import TAG
from rf_app.settings.picture import parse_json

MAX_TEXT = 200_000  # characters of A1111's
MAX_OTHERS = 100
PAIR = re.compile(r'(\w[\w /-]{0,40}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
SCHEDULE = re.compile(r"[ _](k|karras|exponential|sgm uniform)$", re.I)
SILENT = re.compile(
    r"version|app.version|metadata.*|user|created.*|rng|rand.device|(raw|full).*|lora.*|.*hash(es)?|ti|civitai.*"
    r"|generation.mode|scheduler|denoising strength|hires (steps|upscaler|module.*)",
    re.I,
)
"""What says nothing of the picture, or what something else says already."""
PLAIN = {"VAEDecode", "SaveImage", "PreviewImage", "Reroute", "PrimitiveNode", "Note"}
WIDGETS = {
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler"),
    "CLIPTextEncode": ("text",),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "EmptyLatentImage": ("width", "height"),
    "LoraLoader": ("lora_name", "strength_model"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
}
"""Nodes of ComfyUI that are read, and what the values of each are called in a `workflow`, in their order."""
NO_NODE: dict[str, Any] = {"inputs": {}}
WAY = 50  # nodes followed, one from another


@dataclass(frozen=True)
class Foreign:
    """What a picture says; "" and None where it says nothing.

    model, loras, sampler: as they are called there. schedule: how the steps are spaced. size: width, height.
    others: what there is nothing for here, in words.
    """

    prompt: str
    negative_prompt: str = ""
    model: str = ""
    loras: tuple[tuple[str, Any], ...] = ()
    seed: Any = None
    steps: Any = None
    guidance: Any = None
    sampler: str = ""
    schedule: str = ""
    size: tuple[Any, ...] = ()
    others: tuple[str, ...] = ()


def read_foreign(texts: Mapping[str, str]) -> Foreign | None:
    """What the texts of a picture, by their names, say; None where no reader finds a prompt.

    Raises UserError for a text that is too long or broken.
    """
    for name, reader in READERS.items():
        found = reader(texts[name]) if name in texts else None
        if found and found.prompt:
            return found
    return None


def _a1111(text: str) -> Foreign | None:
    if text.lstrip().startswith("{"):
        return _fooocus(text)
    if len(text) > MAX_TEXT:
        raise UserError(f"The settings in the picture have {len(text):,} characters; at most {MAX_TEXT:,}.")
    lines = text.split("\n")
    last = max((i for i, line in enumerate(lines) if line.startswith("Steps: ")), default=len(lines))
    said = {name: value.strip('"') for name, value in PAIR.findall("".join(lines[last : last + 1]))}
    prompt, _, negative = "\n".join(lines[:last]).partition("Negative prompt:")
    tags = [tag[1:-1].split(":") for tag in TAG.findall(prompt)]
    loras = tuple((tag[1], (tag[2:] or [1])[0]) for tag in tags if tag[0] == "lora")
    sampler, size = said.pop("Sampler", ""), said.pop("Size", "").split("x")
    schedule = SCHEDULE.search(sampler)
    return Foreign(
        TAG.sub("", prompt).strip(),
        negative.strip(),
        said.pop("Model", "") or said.get("Model hash", ""),
        loras,
        said.pop("Seed", None),
        said.pop("Steps", None),
        said.pop("CFG scale", None),
        SCHEDULE.sub("", sampler),
        said.pop("Schedule type", "") or (schedule[1] if schedule else ""),
        tuple(size[:2]),
        (*(" ".join(tag) for tag in tags if tag[0] != "lora"), *_others(said)),
    )


def _fooocus(text: str) -> Foreign:
    said = {name.lower().replace(" ", "_"): value for name, value in _parsed(text).items()}
    size = re.findall(r"\d{1,6}", _text(said.pop("resolution", "")))
    loras = [each for each in _list(said.get("loras")) if len(_list(each)) > 1]
    return Foreign(
        _text(said.pop("prompt", "")),
        _text(said.pop("negative_prompt", "")),
        _text(said.pop("base_model", "")),
        tuple((_text(name), weight) for name, weight, *_ in loras),
        said.pop("seed", None),
        said.pop("steps", None),
        said.pop("guidance_scale", None),
        _text(said.pop("sampler", "")),
        _text(said.get("scheduler")),
        tuple(size[:2]),
        _others(said),
    )


def _invokeai(text: str) -> Foreign:
    said = _parsed(text)
    loras = [each for each in _list(said.get("loras")) if isinstance(each, dict)]
    sampler = _text(said.get("scheduler"))
    schedule = SCHEDULE.search(sampler)
    size = said.pop("width", None), said.pop("height", None)
    return Foreign(
        _text(said.pop("positive_prompt", "")),
        _text(said.pop("negative_prompt", "")),
        _called(said.pop("model", "")),
        tuple((_called(each.get("model") or each.get("lora")), each.get("weight")) for each in loras),
        said.pop("seed", None),
        said.pop("steps", None),
        said.pop("cfg_scale", None),
        SCHEDULE.sub("", sampler),
        schedule[1] if schedule else "",
        size,
        _others(said),
    )


def _invokeai_2(text: str) -> Foreign:
    """Of version 2: what a picture shall not show stands in its prompt, in square brackets."""
    said = _parsed(text)
    image = said.get("image")
    image = dict(image) if isinstance(image, dict) else {}
    parts = image.pop("prompt", "")
    parts = [each.get("prompt") if isinstance(each, dict) else each for each in _list(parts)] or [parts]
    prompt = " ".join(map(_text, parts))
    size = image.pop("width", None), image.pop("height", None)
    return Foreign(
        re.sub(r"\[[^\[\]]*\]", "", prompt).strip(),
        ", ".join(re.findall(r"\[([^\[\]]*)\]", prompt)),
        _text(said.get("model_weights")),
        (),
        image.pop("seed", None),
        image.pop("steps", None),
        image.pop("cfg_scale", None),
        SCHEDULE.sub("", _text(image.pop("sampler", "")).removeprefix("k_")),
        "",
        size,
        _others(
            {name: value for name, value in image.items() if name in ("strength", "facetool", "upscale")}
        ),
    )


def _comfyui(text: str) -> Foreign | None:
    graph = {id: dict(node) for id, node in _parsed(text).items() if isinstance(node, dict)}
    for node in graph.values():
        node["inputs"] = node["inputs"] if isinstance(node.get("inputs"), dict) else {}
    return _of_graph(graph)


def _workflow(text: str) -> Foreign | None:
    """ComfyUI's other form of the graph, for its editor."""
    found = _parsed(text)
    links = {_id(link[0]): [_id(link[1])] for link in _list(found.get("links")) if len(_list(link)) > 1}
    graph = {}
    for node in _list(found.get("nodes")):
        if not isinstance(node, dict):
            continue
        kind = _text(node.get("type"))
        inputs = dict(zip(WIDGETS.get(kind, ()), _list(node.get("widgets_values")), strict=False))
        joined = [each for each in _list(node.get("inputs")) if isinstance(each, dict)]
        inputs |= {
            _text(each.get("name")): links[link]
            for each in joined
            if (link := _id(each.get("link"))) in links
        }
        graph[_id(node.get("id"))] = {"class_type": kind, "inputs": inputs}
    return _of_graph(graph)


def _of_graph(graph: Mapping[str, dict[str, Any]]) -> Foreign | None:
    """Of nodes, each with "class_type" and "inputs": a sampler, and what its inputs come from."""

    def source(node: dict[str, Any], name: str) -> dict[str, Any]:
        link = node["inputs"].get(name)
        return graph.get(_id(link[0]), NO_NODE) if isinstance(link, list) and link else NO_NODE

    def way(node: dict[str, Any], *names: str) -> Iterator[dict[str, Any]]:
        """The inputs of a node, and of those that they come from, one from another."""
        for _ in range(WAY):
            yield node["inputs"]
            node = next((found for name in names if (found := source(node, name)) is not NO_NODE), NO_NODE)

    samplers = [node for node in graph.values() if {"positive", "steps"} <= node["inputs"].keys()]
    # The first pass of several begins with an empty picture, which has a size.
    samplers.sort(key=lambda node: "width" not in source(node, "latent_image")["inputs"])
    if not samplers:
        return None
    sampler = samplers[0]

    def value(name: str) -> Any:
        """A value of the sampler, or of the node that it comes from."""
        given = [sampler["inputs"].get(name), *source(sampler, name)["inputs"].values()]
        return next((each for each in given if isinstance(each, (int, float, str))), None)

    def text(side: str) -> str:
        inputs = way(source(sampler, side), side, "conditioning", "conditioning_1", "text", "string")
        texts = (each.get(name) for each in inputs for name in ("text", "string", "value", "text_g"))
        return next((found for found in texts if isinstance(found, str)), "")

    models = list(way(source(sampler, "model"), "model"))
    names = (each.get(name) for each in models for name in ("ckpt_name", "unet_name"))
    loras = [(each["lora_name"], each.get("strength_model")) for each in models if "lora_name" in each]
    latent, denoise = source(sampler, "latent_image")["inputs"], sampler["inputs"].get("denoise")
    kinds = [_text(node.get("class_type")) for node in graph.values() if node is not sampler]
    others = [kind for kind in dict.fromkeys(kinds) if kind not in PLAIN and kind not in WIDGETS]
    others += [f"denoise {denoise}"] if isinstance(denoise, float) and denoise < 1 else []
    return Foreign(
        text("positive"),
        text("negative"),
        next(filter(None, map(_text, names)), ""),
        tuple((_text(name), strength) for name, strength in loras),
        value("seed" if "seed" in sampler["inputs"] else "noise_seed"),
        value("steps"),
        value("cfg"),
        _text(value("sampler_name")),
        _text(value("scheduler")),
        (latent.get("width"), latent.get("height")),
        (*others, *["further samplers"][: len(samplers) - 1]),
    )


def _others(said: Mapping[str, Any]) -> tuple[str, ...]:
    """In words what is left of the settings; of several that begin with the same word that word."""
    there = {
        name.replace("_", " "): value
        for name, value in said.items()
        if value not in (None, "", "None", [], {})
    }
    there = {name: value for name, value in list(there.items())[:MAX_OTHERS] if not SILENT.fullmatch(name)}
    firsts = [name.split(" ")[0] for name in there]
    found = []
    for name, value in there.items():
        first = name.split(" ")[0]
        if first == "Hires":
            found.append("hires fix")
        elif firsts.count(first) > 1 and name != first:
            found.append(first)
        else:
            short = isinstance(value, (int, float, str)) and len(str(value)) <= 24
            found.append(f"{name[:1].lower()}{name[1:]} {value}" if short else name)
    return tuple(dict.fromkeys(found))


def _parsed(text: str) -> dict[str, Any]:
    return parse_json(text, "The settings in the picture")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _called(model: Any) -> str:
    """InvokeAI's name of a model, of any version."""
    return _text(model.get("name") or model.get("model_name")) if isinstance(model, dict) else _text(model)


def _id(value: Any) -> str:
    return str(value) if isinstance(value, (int, str)) else ""


READERS = {
    "parameters": _a1111,
    "invokeai_metadata": _invokeai,
    "sd-metadata": _invokeai_2,
    "prompt": _comfyui,
    "workflow": _workflow,
}
"""By the name of the text in the picture."""
