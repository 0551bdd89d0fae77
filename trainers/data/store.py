"""Pairs for training: tensors in memory where they fit, memory-mapped through `datasets` otherwise."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from diffusers import StableDiffusionPipeline
from torch import Tensor

from rf_app.errors import UserError
from trainers.common.models import encode, latent_shape
from trainers.data.folder import check_changed, read_all, settings_of
from trainers.data.shards import inspect, matrix, read_columns, shard_paths

SHARE = 0.4  # of the free memory that pairs, and that text embeddings, may take, in all processes together
ENCODE_BATCH = 48


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

        Raises UserError for a missing or unfinished folder, a shard that is not as it was written, shards of
        different settings, and latents that are not `pipeline`'s.
        """
        self.settings = settings_of(folder)
        if self.settings.shape != latent_shape(pipeline):
            raise UserError(
                f"The pairs in {folder} hold latents {self.settings.shape}; "
                f"the model's are {latent_shape(pipeline)}."
            )
        paths = shard_paths(folder)
        size = sum(path.stat().st_size for path in paths)
        mapped = not _fits(size) if mapped is None else mapped
        self._rows = _Mapped(paths) if mapped else _Held(paths, self.settings.shape)
        self._texts = _Texts(self._rows.prompts, pipeline)

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self._texts.which)

    def batch(self, indices: Tensor, device: torch.device | str = "cpu") -> Batch:
        """The pairs at `indices` [B], on `device`."""
        shape = (len(indices), *self.settings.shape)
        x0, x1 = (part.reshape(shape).to(device, torch.float32) for part in self._rows.at(indices))
        return Batch(x0, x1, self._texts.at(indices).to(device, torch.float32))


def _fits(size: int) -> bool:
    """Whether each process may hold so many bytes, on every machine: who maps pairs waits for the others."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # processes, as every launcher says it
    return all(gather_object([size * here < SHARE * psutil.virtual_memory().available]))


class _Texts:
    """The embeddings of the pairs' prompts, each made when it is first asked for and kept where all fit."""

    def __init__(self, prompts: pa.ChunkedArray, pipeline: StableDiffusionPipeline) -> None:
        """prompts: of every pair."""
        self.pipeline = pipeline
        encoded = prompts.combine_chunks().dictionary_encode()
        self.prompts: list[str] = encoded.dictionary.to_pylist()
        self.which = torch.tensor(encoded.indices.to_numpy(), dtype=torch.long)
        shape = pipeline.tokenizer.model_max_length, pipeline.text_encoder.config.hidden_size
        fits = _fits(2 * len(self.prompts) * math.prod(shape))
        self.known = torch.zeros(len(self.prompts), dtype=torch.bool)
        self.table = torch.empty(len(self.prompts), *shape, dtype=torch.half) if fits else None

    def at(self, indices: Tensor) -> Tensor:
        """Embeddings [B, L, D], in float16."""
        which = self.which[indices]
        if self.table is None:
            return self._encoded(which)
        new = which[~self.known[which]].unique()
        if len(new):
            self.table[new], self.known[new] = self._encoded(new).cpu(), True
        return self.table[which]

    def _encoded(self, which: Tensor) -> Tensor:
        """As many at once every time: a text's last bits must not depend on when it is asked for."""
        prompts = [self.prompts[i] for i in which.tolist()]
        padded = prompts + prompts[-1:] * (-len(prompts) % ENCODE_BATCH)
        starts = range(0, len(padded), ENCODE_BATCH)
        parts = [encode(self.pipeline, padded[i : i + ENCODE_BATCH]).half() for i in starts]
        return torch.cat(parts)[: len(prompts)]


class _Held:
    """Pairs as two float16 tensors [N, C H W]."""

    def __init__(self, paths: list[Path], shape: tuple[int, ...]) -> None:
        rows = sum(inspect(path)[1] for path in paths)
        self.columns = [torch.empty(rows, math.prod(shape), dtype=torch.half) for _ in range(2)]
        prompts, start = [], 0
        for table in read_all(paths):
            for column, name in zip(self.columns, ("noise", "latent"), strict=True):
                column.numpy()[start : start + len(table)] = matrix(table, name)
            prompts += table["prompt"].chunks
            start += len(table)
        self.prompts = pa.chunked_array(prompts)

    def at(self, indices: Tensor) -> list[Tensor]:
        return [column[indices] for column in self.columns]


class _Mapped:
    """Pairs left on the disk: `datasets` keeps an Arrow copy that the system maps into memory."""

    def __init__(self, paths: list[Path]) -> None:
        from datasets import Dataset  # slow to import, seldom needed

        cache = paths[0].parent / ".arrow"
        with PartialState().local_main_process_first():
            check_changed(paths, cache / "checked.json")
            dataset = Dataset.from_parquet([str(path) for path in paths], cache_dir=str(cache))
        prompts = [read_columns(path, ["prompt"])["prompt"] for path in paths]
        self.prompts = pa.chunked_array([chunk for column in prompts for chunk in column.chunks])
        self.rows = dataset.select_columns(["noise", "latent"]).with_format("arrow")

    def at(self, indices: Tensor) -> list[Tensor]:
        table = self.rows[indices.tolist()]
        return [torch.from_numpy(matrix(table, name).copy()) for name in ("noise", "latent")]


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
