"""A prompt as a text encoder of CLIP's kind reads it: in chunks, and with weights where the model knows such.

Weights mean what they mean in AUTOMATIC1111's web UI, whose prompts people share: (word) is read 1.1 times as
strongly, [word] 1.1 times less, (word:1.3) 1.3 times, \\( is a bracket, and <lora:name:0.8> is no text. Each
token's embedding is multiplied by its weight, then the chunk by what gives it its mean back
(https://github.com/AUTOMATIC1111/stable-diffusion-webui/wiki/Features#attentionemphasis).
"""

import re
from dataclasses import dataclass

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor
from transformers import CLIPTokenizer

MAX_CHUNKS = 4
STEP = 1.1  # a pair of brackets
STRONGEST = 10.0
TAG = re.compile(r"<\w+:[^<>]*>")
PART = re.compile(
    rf"{TAG.pattern}|:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)|\\[\\()\[\]]|[()\[\]]|[^<:\\()\[\]]+|.", re.S
)


@dataclass(frozen=True)
class Token:
    """start: the character of the prompt where it begins."""

    id: int
    start: int
    weight: float = 1.0


def room(tokenizer: CLIPTokenizer) -> int:
    """How many tokens of a text a chunk holds."""
    return tokenizer.model_max_length - tokenizer.num_special_tokens_to_add()


def chunks(tokenizer: CLIPTokenizer, prompt: str, weighted: bool) -> tuple[list[list[Token]], list[Token]]:
    """What is read of a prompt, in chunks, at least one; and what there is no room for.

    weighted: with weights, and in up to `MAX_CHUNKS`; else the text as it stands, in one.
    """
    found = []
    for start, end, weight in stretches(prompt) if weighted else [(0, len(prompt), 1.0)]:
        text = prompt[start:end]
        read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        pairs = zip(read.input_ids, read.offset_mapping, strict=True)
        found += [Token(id, start + at, weight) for id, (at, _) in pairs]
    size = room(tokenizer)
    most = size * (MAX_CHUNKS if weighted else 1)
    return [found[i : i + size] for i in range(0, min(len(found), most), size)] or [[]], found[most:]


def unread(tokenizer: CLIPTokenizer, prompt: str, weighted: bool) -> str:
    """The end of a prompt for which there is no room, or nothing; weighted: as for `chunks`."""
    _, rest = chunks(tokenizer, prompt, weighted)
    return prompt[rest[0].start :] if rest else ""


def embed(pipeline: StableDiffusionPipeline, prompt: str, weighted: bool) -> Tensor:
    """The embedding [1, n L, D] of what is read of a prompt, in n chunks of length L; weighted: as for
    `chunks`.
    """
    read, _ = chunks(pipeline.tokenizer, prompt, weighted)
    return torch.cat([_embed(pipeline, chunk) for chunk in read], dim=1)


def of_one_length(texts: list[Tensor], empty: Tensor) -> list[Tensor]:
    """Embeddings [1, n L, D] with the longest's n: the shorter ones go on with that of no text, [1, L, D]."""
    longest = max(text.shape[1] for text in texts)
    return [
        torch.cat([text, *[empty] * ((longest - text.shape[1]) // empty.shape[1])], dim=1) for text in texts
    ]


def _embed(pipeline: StableDiffusionPipeline, chunk: list[Token]) -> Tensor:
    tokenizer, encoder = pipeline.tokenizer, pipeline.text_encoder
    ids = [tokenizer.bos_token_id, *(token.id for token in chunk), tokenizer.eos_token_id]
    ids += [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(ids))
    embeds = encoder(torch.tensor([ids], device=encoder.device))[0]
    if all(token.weight == 1 for token in chunk):
        return embeds
    weights = torch.ones(1, len(ids), 1, dtype=embeds.dtype)
    weights[0, 1 : 1 + len(chunk), 0] = torch.tensor([token.weight for token in chunk])
    scaled = embeds * weights.to(embeds.device)
    return scaled * (embeds.float().mean() / scaled.float().mean())


def stretches(prompt: str) -> list[tuple[int, int, float]]:
    """The prompt's text in stretches: first character, the one after the last, weight.

    A bracket that never closes acts to the end; one that never opened is text.
    """
    found: list[tuple[int, int, float]] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}  # how many stretches there were before each

    def scale(first: int, factor: float) -> None:
        for i in range(first, len(found)):
            start, end, weight = found[i]
            found[i] = start, end, max(-STRONGEST, min(weight * factor, STRONGEST))

    for part in PART.finditer(prompt):
        text, weight, (start, end) = part[0], part[1], part.span()
        if text in opened:
            opened[text].append(len(found))
        elif weight and opened["("]:
            scale(opened["("].pop(), min(float(weight), STRONGEST))
        elif text == ")" and opened["("]:
            scale(opened["("].pop(), STEP)
        elif text == "]" and opened["["]:
            scale(opened["["].pop(), 1 / STEP)
        elif not TAG.fullmatch(text):
            found.append((start + (text[0] == "\\" and len(text) == 2), end, 1.0))
    for before in opened["("]:
        scale(before, STEP)
    for before in opened["["]:
        scale(before, 1 / STEP)
    whole: list[tuple[int, int, float]] = []
    for start, end, weight in found:
        if whole and whole[-1][1:] == (start, weight):
            start = whole.pop()[0]
        whole.append((start, end, weight))
    return whole
