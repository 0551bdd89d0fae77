"""The pocket family's tokenizer and text encoder: stock CLIP classes, a vocabulary of their own.

The tokenizer is a byte-level BPE learned from captions, so that any Unicode text has tokens.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

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
WORDINGS = 4


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


def caption_ids(tokenizer: CLIPTokenizer, count: int) -> Tensor:
    """Token ids [count, WORDINGS, 32]: the scenes of the first ``count`` seeds, each in several wordings."""
    with ProcessPoolExecutor() as pool:
        captions = list(pool.map(_wordings, range(count), chunksize=256))
    starts = range(0, count, 2048)
    parts = [tokens(tokenizer, [text for texts in captions[i : i + 2048] for text in texts]) for i in starts]
    return torch.cat(parts).unflatten(0, (count, WORDINGS))


def _wordings(seed: int) -> list[str]:
    scene, rng = describe(seed)[0], np.random.Generator(np.random.PCG64([seed, WORDINGS]))
    return [write_caption(scene, rng).text for _ in range(WORDINGS)]
