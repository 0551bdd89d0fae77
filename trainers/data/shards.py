"""One shard of (prompt, seed, noise, latent) rows: a Parquet file that says how it was made.

Beside it lies its SHA-256, as `sha256sum` writes and checks it.
"""

import hashlib
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
from rf_app.registry.disk import write_atomically, write_text

KEY = b"instaflow"
AGAIN = "Run the same `python -m trainers.pairs` command again: it makes what is missing or damaged anew."


@dataclass(frozen=True)
class PairSettings:
    """What decides a pair, besides its number: row i of the whole has seed `seed` + i."""

    teacher: str
    weights: str  # fingerprint of the teacher's U-Net and text encoder
    scheduler: dict[str, object]  # its class and config
    steps: int
    guidance: float
    precision: str
    prompts: str
    seed: int
    shard: int  # pairs in every shard but the last
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


def sum_path(path: Path) -> Path:
    """Where the SHA-256 of a shard lies."""
    return path.with_name(f"{path.name}.sha256")


def write_shard(
    path: Path,
    settings: PairSettings,
    prompts: Sequence[str],
    seeds: Sequence[int],
    noise: np.ndarray,
    latents: np.ndarray,
) -> None:
    """Write one shard and its SHA-256; noise and latents are float16 [N, C, H, W].

    Raises `DiskFull`, leaving nothing, and UserError for values that are not finite.
    """
    for row in np.flatnonzero(~np.isfinite(latents).reshape(len(latents), -1).all(1)):
        raise UserError(
            f"The teacher {settings.teacher} drew values that are not finite for seed {seeds[row]} "
            f"({prompts[row]!r:.60}), at guidance {settings.guidance:g} and --precision "
            f"{settings.precision}: try --precision no, or less guidance."
        )

    def column(values: np.ndarray) -> pa.Array:
        flat = np.ascontiguousarray(values).reshape(len(values), -1)
        return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])

    columns = {"prompt": list(prompts), "seed": pa.array(seeds, pa.int64())}
    table = pa.table(columns | {"noise": column(noise), "latent": column(latents)})
    table = table.replace_schema_metadata({KEY: json.dumps(asdict(settings))})
    whole = pa.BufferOutputStream()
    # Noise does not compress; looking for a dictionary in it only costs time.
    pq.write_table(table, whole, compression="none", use_dictionary=False)
    content = whole.getvalue()
    write_atomically(path, lambda temporary: temporary.write_bytes(content))
    write_sum(path, content)


def write_sum(path: Path, content: bytes | pa.Buffer) -> None:
    """Write the SHA-256 of a shard's content beside it."""
    write_text(sum_path(path), f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")


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


def read_columns(path: Path, names: Sequence[str], content: bytes | None = None) -> pa.Table:
    """Columns of a shard, or of its `content`. Raises UserError where it is damaged or a value is missing."""
    with _damage_named(path):
        table = pq.read_table(path if content is None else pa.BufferReader(content), columns=list(names))
    for name in names:
        if table[name].null_count:
            raise UserError(f"The shard {path}: its column {name} lacks {table[name].null_count} values.")
    return table


def read_whole(path: Path) -> pa.Table:
    """A shard's prompts, noise and latents, whose every byte is as it was written and every value finite.

    Raises UserError naming the shard and its fault.
    """
    settings, _ = inspect(path)
    with _damage_named(path):
        content = path.read_bytes()
    table = read_columns(path, ["prompt", "seed", "noise", "latent"], content)
    for name in ("noise", "latent"):
        if not np.isfinite(matrix(table, name)).all():
            raise UserError(f"The shard {path}: its column {name} holds values that are not finite. {AGAIN}")
    first = settings.seed + settings.shard * int(path.stem.removeprefix("pairs-"))
    if not np.array_equal(table["seed"], np.arange(first, first + len(table))):
        raise UserError(f"The shard {path} does not hold the pairs of its name, seed {first} on. {AGAIN}")
    noted, found = _noted_sum(path), hashlib.sha256(content).hexdigest()
    if noted != found:
        was = (
            f"its SHA-256 is {found:.12}…, not {noted:.12}…"
            if noted
            else f"{sum_path(path).name} is not there"
        )
        raise UserError(f"The shard {path} is not as it was written: {was}. {AGAIN}")
    return table


def _noted_sum(path: Path) -> str:
    try:
        return sum_path(path).read_text().partition(" ")[0]
    except (OSError, UnicodeDecodeError):
        return ""


def matrix(table: pa.Table, name: str) -> np.ndarray:
    """A column of fixed-size lists: [N, D]."""
    column = table[name].combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"The shard {path} is cut short or damaged ({error}). {AGAIN}") from None


def _read_settings(path: Path, said: bytes) -> PairSettings:
    try:
        found = json.loads(said)
        settings = PairSettings(**found | {"shape": tuple(found["shape"])})
        numbers = (*settings.shape, settings.shard, settings.seed + 1)
        sound = len(settings.shape) == 3 and all(type(number) is int and number > 0 for number in numbers)
    except (ValueError, TypeError, KeyError, RecursionError):
        sound = False
    if not sound:
        raise UserError(f"The shard {path} does not say how it was made: {said!r:.80}. {AGAIN}")
    return settings
