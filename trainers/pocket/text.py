"""The pocket family's tokenizer and text encoder: stock CLIP classes, a vocabulary of their own.

The tokenizer is a byte-level BPE learned from captions, so that any Unicode text has tokens.
"""

import json
from collections.abc import Sequence

import numpy as np
import torch
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from trainers.pocket.captions import write_caption
from trainers.pocket.world import describe

VOCABULARY = 1_536
LENGTH = 32
WIDTH = 128
CORPUS = 20_000


def build_tokenizer() -> CLIPTokenizer:
    """Learn the merges from the captions of the first `CORPUS` seeds; the same ones every time."""
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    blank = CLIPTokenizer({token: i for i, token in enumerate(tokens)}, [], model_max_length=LENGTH)
    captions = (describe(seed)[1].text for seed in range(CORPUS))
    learned = blank.train_new_from_iterator(
        captions, VOCABULARY, initial_alphabet=letters, end_of_word_suffix="</w>", show_progress=False
    )
    return _with_all_bytes(learned, letters)


def _with_all_bytes(learned: CLIPTokenizer, letters: list[str]) -> CLIPTokenizer:
    """The learned merges on top of every byte, alone and as a word's end, even those no caption holds."""

    model = json.loads(learned.backend_tokenizer.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    tokens = [*letters, *(letter + "</w>" for letter in letters), *dict.fromkeys(a + b for a, b in merges)]
    vocabulary = {token: i for i, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocabulary, merges, model_max_length=LENGTH)


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The untrained text encoder: two layers of width 128, 32 tokens."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=LENGTH,
            projection_dim=WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def tokens(tokenizer: CLIPTokenizer, prompts: Sequence[str]) -> Tensor:
    """Token ids [B, 32] of the prompts, padded and cut as the stock pipeline does."""
    return tokenizer(
        list(prompts), padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
    ).input_ids


def fresh_captions(seeds: Sequence[int], dropout: float, generator: torch.Generator) -> list[str]:
    """A newly worded caption for each seed's scene; a share ``dropout`` of them is empty, for guidance."""
    rng = np.random.Generator(np.random.PCG64(int(torch.randint(2**62, (), generator=generator))))
    captions = [write_caption(describe(seed)[0], rng).text for seed in seeds]
    kept = torch.rand(len(captions), generator=generator) >= dropout
    return [caption if keep else "" for caption, keep in zip(captions, kept.tolist(), strict=True)]
