"""One shard of (prompt, seed, noise, latent) rows: a Parquet file that says how it was made."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rf_app.errors import UserError
from rf_app.registry.disk import write_atomically

KEY = b"instaflow"


@dataclass(frozen=True)
class PairSettings:
    """What decides a pair, besides its number: row i of the whole has seed `seed` + i."""

    teacher: str
    weights: str  # fingerprint of the teacher's U-Net
    solver: str
    steps: int
    guidance: float
    prompts: str
    seed: int
    shape: tuple[int, int, int]


def shard_path(folder: Path, number: int) -> Path:
    """Where shard `number` of a folder of pairs lies."""
    return folder / f"pairs-{number:05d}.parquet"


def shard_paths(folder: Path) -> list[Path]:
    """The shards of a folder, in order. Raises UserError where there are none."""
    paths = sorted(folder.glob("pairs-*.parquet"))
    if not paths:
        raise UserError(
            f"There are no pairs in {folder}: make them with `python -m trainers.pairs --output {folder}`."
        )
    return paths


def write_shard(
    path: Path,
    settings: PairSettings,
    prompts: Sequence[str],
    seeds: Sequence[int],
    noise: np.ndarray,
    latents: np.ndarray,
) -> None:
    """Write one shard; noise and latents are float16 [N, C, H, W]. Raises `DiskFull`, leaving nothing."""

    def column(values: np.ndarray) -> pa.Array:
        flat = np.ascontiguousarray(values).reshape(len(values), -1)
        return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])

    columns = {"prompt": list(prompts), "seed": pa.array(seeds, pa.int64())}
    table = pa.table(columns | {"noise": column(noise), "latent": column(latents)})
    table = table.replace_schema_metadata({KEY: json.dumps(asdict(settings))})
    # Noise does not compress; looking for a dictionary in it only costs time.
    write_atomically(
        path, lambda temporary: pq.write_table(table, temporary, compression="none", use_dictionary=False)
    )


def inspect(path: Path) -> tuple[PairSettings, int]:
    """How a shard was made, and its number of rows. Raises UserError where it is cut short or not of ours."""
    with _damage_named(path):
        metadata = pq.read_metadata(path)
        schema = metadata.schema.to_arrow_schema()
    found = (metadata.metadata or {}).get(KEY)
    if found is None:
        raise UserError(f"{path} was not made by `python -m trainers.pairs`.")
    if not metadata.num_rows:
        raise UserError(f"The shard {path} holds no pairs.")
    settings = _read_settings(path, found)
    latents = pa.list_(pa.float16(), math.prod(settings.shape))
    types = {"prompt": pa.string(), "seed": pa.int64(), "noise": latents, "latent": latents}
    for name, kind in types.items():
        index = schema.get_field_index(name)
        if index < 0 or schema.field(index).type != kind:
            here = "missing" if index < 0 else str(schema.field(index).type)
            raise UserError(f"The shard {path}: its column {name} is {here}; expected {kind}.")
    return settings, metadata.num_rows


def read_columns(path: Path, names: Sequence[str]) -> pa.Table:
    """Columns of a shard. Raises UserError where it is damaged or a value is missing."""
    with _damage_named(path):
        table = pq.read_table(path, columns=list(names))
    for name in names:
        if table[name].null_count:
            raise UserError(f"The shard {path}: its column {name} lacks {table[name].null_count} values.")
    return table


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"The shard {path} is cut short or damaged ({error}). Run the same `python -m trainers.pairs` "
            "command again: it makes the missing shards anew."
        ) from None


def _read_settings(path: Path, said: bytes) -> PairSettings:
    try:
        found = json.loads(said)
        settings = PairSettings(**found | {"shape": tuple(found["shape"])})
        sound = len(settings.shape) == 3 and all(type(size) is int and size > 0 for size in settings.shape)
    except (ValueError, TypeError, KeyError, RecursionError):
        sound = False
    if not sound:
        raise UserError(f"The shard {path} does not say how it was made: {said!r:.80}.")
    return settings
