"""A tokenizer and a text encoder from nothing: stock CLIP classes, a vocabulary of their own.

The tokenizer is a byte-level BPE learned from captions, so that any Unicode text has tokens.
"""

import json
from collections.abc import Iterable, Sequence

import torch
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

VOCABULARY = 1_536
LENGTH = 32
WIDTH = 128


def build_tokenizer(captions: Iterable[str]) -> CLIPTokenizer:
    """Learn the merges from captions; the same ones every time."""
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    blank = CLIPTokenizer({token: i for i, token in enumerate(tokens)}, [], model_max_length=LENGTH)
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


def caption_ids(tokenizer: CLIPTokenizer, wordings: Sequence[Sequence[str]]) -> Tensor:
    """Token ids [N, W, 32] of N pictures with W captions each."""
    starts = range(0, len(wordings), 2048)
    parts = [tokens(tokenizer, [text for texts in wordings[i : i + 2048] for text in texts]) for i in starts]
    return torch.cat(parts).unflatten(0, (len(wordings), len(wordings[0])))
