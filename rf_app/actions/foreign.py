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
SAID = re.compile(
    r"(positive |negative )?prompt|(base )?model|loras?|seed|steps|cfg scale|guidance scale|sampler|scheduler"
    r"|schedule type|size|resolution|width|height"  # what is read
    r"|(app )?version|metadata.*|user|created.*|rng|rand device|(raw|full) .*|lora .*|.*hash(es)?|civitai.*"
    r"|generation mode|hires (steps|upscaler|module.*)",
    re.I,
)
"""What is read, and what says nothing of the picture or says it again."""
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
    if text.lstrip().startswith("{"):  # Fooocus'
        return _of_settings(_parsed(text))
    if len(text) > MAX_TEXT:
        raise UserError(f"The settings in the picture have {len(text):,} characters; at most {MAX_TEXT:,}.")
    lines = text.split("\n")
    last = max((i for i, line in enumerate(lines) if line.startswith("Steps: ")), default=None)
    if last is None:  # it may be anybody's comment on a photograph
        return None
    said = {name: value.strip('"') for name, value in PAIR.findall(lines[last])}
    prompt, _, negative = "\n".join(lines[:last]).partition("Negative prompt:")
    tags = [tag[1:-1].split(":") for tag in TAG.findall(prompt)]
    loras = [tag[1:] for tag in tags if tag[0] == "lora"]
    others = {" ".join(tag): True for tag in tags if tag[0] != "lora"}
    prompts = {"prompt": TAG.sub("", prompt).strip(), "negative prompt": negative.strip()}
    return _of_settings(others | said | prompts | {"loras": loras})


def _invokeai(text: str) -> Foreign:
    said = _parsed(text)
    loras = [each for each in _list(said.get("loras")) if isinstance(each, dict)]
    named = [[_called(each.get("model") or each.get("lora")), each.get("weight")] for each in loras]
    return _of_settings(said | {"model": _called(said.get("model")), "loras": named})


def _invokeai_2(text: str) -> Foreign:
    """Of version 2: what a picture shall not show stands in its prompt, in square brackets."""
    said = _parsed(text)
    image = said["image"] if isinstance(said.get("image"), dict) else {}
    parts = _list(image.get("prompt")) or [image.get("prompt")]
    prompt = " ".join(_text(each.get("prompt") if isinstance(each, dict) else each) for each in parts)
    bare, negative = re.sub(r"\[[^\[\]]*\]", "", prompt).strip(), re.findall(r"\[([^\[\]]*)\]", prompt)
    read = {name: image.get(name) for name in ("seed", "steps", "cfg_scale", "width", "height", "strength")}
    sampler = _text(image.get("sampler")).removeprefix("k_")
    prompts = {"prompt": bare, "negative_prompt": ", ".join(negative)}
    return _of_settings(read | prompts | {"model": said.get("model_weights"), "sampler": sampler})


def _of_settings(found: Mapping[str, Any]) -> Foreign:
    """Of settings by their names, which are nearly the same in all programs."""
    said = {name.lower().replace(" ", "_"): value for name, value in found.items()}
    sampler = _text(said.get("sampler") or said.get("scheduler"))
    spacing = SCHEDULE.search(sampler)
    own = said.get("schedule_type") or (said.get("scheduler") if "sampler" in said else "")
    size = re.findall(r"\d{1,6}", _text(said.get("size") or said.get("resolution")))
    loras = [each for each in map(_list, _list(said.get("loras"))) if each]
    return Foreign(
        _text(said.get("prompt") or said.get("positive_prompt")),
        _text(said.get("negative_prompt")),
        _text(said.get("model") or said.get("base_model") or said.get("model_hash")),
        tuple((_text(each[0]), each[1] if each[1:] else 1) for each in loras),
        said.get("seed"),
        said.get("steps"),
        said.get("cfg_scale", said.get("guidance_scale")),
        SCHEDULE.sub("", sampler),
        _text(own) or (spacing[1] if spacing else ""),
        tuple(size[:2]) or (said.get("width"), said.get("height")),
        _others(found),
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
    names = {name.replace("_", " "): value for name, value in list(said.items())[:MAX_OTHERS]}
    there = {
        name: value
        for name, value in names.items()
        if value not in (None, "", "None", [], {}) and not SAID.fullmatch(name)
    }
    firsts = [name.split(" ")[0] for name in there]
    found = []
    if "Hires" in firsts:  # without it, it is that of a picture that began from another
        there.pop("Denoising strength", None)
    for name, value in there.items():
        first = name.split(" ")[0]
        short = isinstance(value, (int, float, str)) and value is not True and len(str(value)) <= 24
        if first == "Hires":
            found.append("hires fix")
        elif firsts.count(first) > 1:
            found.append(first)
        else:
            called = name if name[:2].isupper() else f"{name[:1].lower()}{name[1:]}"  # VAE is a name
            found.append(f"{called} {value}" if short else called)
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
