"""Pairs for training: tensors in memory where they fit, memory-mapped through `datasets` otherwise."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor
from tqdm import tqdm

from rf_app.errors import UserError
from trainers.common.models import encode, latent_shape
from trainers.data.shards import PairSettings, inspect, read_columns, shard_paths

SHARE = 0.4  # of the free memory that pairs, and that text embeddings, may take
ENCODE_BATCH = 256


@dataclass(frozen=True)
class Batch:
    """x0, x1: noise and latents, float32 [B, C, H, W]; text: embeddings, float32 [B, L, D]."""

    x0: Tensor
    x1: Tensor
    text: Tensor


class Pairs:
    """All the pairs of a folder, with the embeddings of their prompts."""

    def __init__(self, folder: Path, pipeline: StableDiffusionPipeline, mapped: bool | None = None) -> None:
        """Read the shards; `mapped` None decides by the free memory.

        Raises UserError for a missing folder, a shard cut short, shards of different settings, and latents
        that are not `pipeline`'s.
        """
        paths = shard_paths(folder)
        self.settings = common_settings(paths)
        if self.settings.shape != latent_shape(pipeline):
            raise UserError(
                f"The pairs in {folder} hold latents {self.settings.shape}; "
                f"the model's are {latent_shape(pipeline)}."
            )
        self.pipeline = pipeline
        size = sum(path.stat().st_size for path in paths)
        mapped = size > SHARE * psutil.virtual_memory().available if mapped is None else mapped
        self._rows = _Mapped(paths) if mapped else _Held(paths)
        self._read_prompts(paths)

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self._which)

    def batch(self, indices: Tensor, device: torch.device | str = "cpu") -> Batch:
        """The pairs at `indices` [B], on `device`."""
        shape = (len(indices), *self.settings.shape)
        x0, x1 = (part.reshape(shape).to(device, torch.float32) for part in self._rows.at(indices))
        which = self._which[indices]
        if self._table is not None:
            return Batch(x0, x1, self._table[which].to(device, torch.float32))
        return Batch(x0, x1, encode(self.pipeline, [self._prompts[i] for i in which.tolist()]).to(device))

    def _read_prompts(self, paths: list[Path]) -> None:
        column = pa.chunked_array(
            [read_columns(path, ["prompt"])["prompt"].combine_chunks() for path in paths]
        )
        encoded = column.dictionary_encode().unify_dictionaries()
        self._prompts: list[str] = encoded.chunk(0).dictionary.to_pylist()
        self._which = torch.from_numpy(
            np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
        ).long()
        width = self.pipeline.text_encoder.config.hidden_size * self.pipeline.tokenizer.model_max_length
        self._table: Tensor | None = None
        if 2 * width * len(self._prompts) < SHARE * psutil.virtual_memory().available:
            starts = range(0, len(self._prompts), ENCODE_BATCH)
            parts = (self._prompts[i : i + ENCODE_BATCH] for i in tqdm(starts, desc="texts", mininterval=5))
            self._table = torch.cat([encode(self.pipeline, part).half().cpu() for part in parts])


class _Held:
    """Pairs as two float16 tensors [N, C H W]."""

    def __init__(self, paths: list[Path]) -> None:
        tables = [read_columns(path, ["noise", "latent"]) for path in paths]
        self.columns = [
            torch.from_numpy(
                np.concatenate([_matrix(chunk) for table in tables for chunk in table[name].chunks])
            )
            for name in ("noise", "latent")
        ]

    def at(self, indices: Tensor) -> list[Tensor]:
        return [column[indices] for column in self.columns]


class _Mapped:
    """Pairs left on the disk: `datasets` keeps an Arrow copy that the system maps into memory."""

    def __init__(self, paths: list[Path]) -> None:
        from datasets import Dataset  # slow to import, seldom needed

        for path in paths:  # the library's own errors name no shard
            read_columns(path, ["noise", "latent"])
        cache = paths[0].parent / ".arrow"
        dataset = Dataset.from_parquet([str(path) for path in paths], cache_dir=str(cache))
        self.rows = dataset.select_columns(["noise", "latent"]).with_format("arrow")

    def at(self, indices: Tensor) -> list[Tensor]:
        table = self.rows[indices.tolist()]
        return [
            torch.from_numpy(np.concatenate([_matrix(chunk) for chunk in table[name].chunks]))
            for name in ("noise", "latent")
        ]


def _matrix(column: pa.FixedSizeListArray) -> np.ndarray:
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)


def common_settings(paths: list[Path]) -> PairSettings:
    """The settings that all shards share. Raises UserError naming the first that is cut short or differs."""
    first = inspect(paths[0])[0]
    for path in paths[1:]:
        if inspect(path)[0] != first:
            raise UserError(f"The shard {path} was made with other settings than {paths[0].name}.")
    return first


class Order:
    """The pairs a step takes: each once an epoch, shuffled; a function of (seed, step, rank) alone."""

    def __init__(self, pairs: int, batch: int, seed: int, rank: int, ranks: int) -> None:
        """`batch` pairs a step and process, of `pairs` in all."""
        self.pairs, self.batch, self.seed, self.rank, self.ranks = pairs, batch, seed, rank, ranks
        self._shuffled: dict[int, Tensor] = {}

    def at(self, step: int) -> Tensor:
        """Indices [batch] for this process at `step`."""
        first = (step * self.ranks + self.rank) * self.batch
        places = torch.arange(first, first + self.batch)
        epochs = places // self.pairs
        picks = [self._epoch(e)[places[epochs == e] % self.pairs] for e in epochs.unique().tolist()]
        return torch.cat(picks)

    def _epoch(self, epoch: int) -> Tensor:
        if epoch not in self._shuffled:
            self._shuffled = {e: order for e, order in self._shuffled.items() if e == epoch - 1}
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._shuffled[epoch] = torch.randperm(self.pairs, generator=generator)
        return self._shuffled[epoch]
