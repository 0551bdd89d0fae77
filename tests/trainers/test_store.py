"""Reading pairs: the same in memory and memory-mapped; every pair once an epoch."""

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from rf_app.errors import UserError
from rf_app.registry.models import Registry
from trainers.common.models import encode, load_frozen
from trainers.data import folder
from trainers.data.shards import sum_path, write_shard
from trainers.data.store import Order, Pairs
from trainers.pocket.first_edition.world import describe  # tiny-sd knows no word of the second


@pytest.fixture
def spoiled(at_home: Path, tmp_path: Path) -> Path:
    """A copy of the 40 pairs, three shards, to be spoiled."""
    return shutil.copytree(at_home / "pairs", tmp_path / "pairs", ignore=shutil.ignore_patterns(".arrow"))


def flip(path: Path, byte: int) -> None:
    """Change one bit."""
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


def test_held_and_mapped_pairs_are_the_same(at_home: Path) -> None:
    model = load_frozen(Registry.default(), "tiny-sd")
    indices = torch.tensor([39, 0, 17, 17])
    held, mapped = (Pairs(at_home / "pairs", model, mapped).batch(indices) for mapped in (False, True))
    assert held.x0.shape == held.x1.shape == (4, 8, 12, 12)
    assert held.x0.dtype == torch.float32
    for name in ("x0", "x1", "text"):
        assert torch.equal(getattr(held, name), getattr(mapped, name))
    assert torch.equal(held.x0[2], held.x0[3])


def test_memory_is_shared_by_the_processes_of_a_machine(
    at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_frozen(Registry.default(), "tiny-sd")
    kinds = []
    for processes in (1, 10**8):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
        pairs = Pairs(at_home / "pairs", model)
        kinds.append((type(pairs._rows).__name__, pairs._texts.table is None))
    assert kinds == [("_Held", False), ("_Mapped", True)]


def test_texts_belong_to_their_pairs(at_home: Path) -> None:
    model = load_frozen(Registry.default(), "tiny-sd")
    pairs = Pairs(at_home / "pairs", model)
    wanted = encode(model, [describe(seed)[1].text for seed in (5, 33)])
    assert torch.allclose(pairs.batch(torch.tensor([5, 33])).text, wanted, atol=2e-3)


def test_every_pair_is_used_once_an_epoch() -> None:
    """Two processes, batches of 4, 10 pairs: 5 steps are 4 epochs."""
    orders = [Order(10, 4, seed=3, rank=rank, ranks=2) for rank in (0, 1)]
    used = torch.cat([order.at(step) for step in range(5) for order in orders])
    for epoch in range(4):
        assert used[10 * epoch : 10 * epoch + 10].sort().values.tolist() == list(range(10))
    assert not torch.equal(used[:10], used[10:20])
    assert torch.equal(Order(10, 4, 3, 1, 2).at(4), used[-4:])


def test_missing_and_foreign_folders_are_named(at_home: Path, tmp_path: Path) -> None:
    model = load_frozen(Registry.default(), "tiny-sd")
    with pytest.raises(UserError, match="no pairs in"):
        Pairs(tmp_path, model)
    (tmp_path / "pairs-00000.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(UserError, match=r"pairs-00000.parquet is cut short"):
        Pairs(tmp_path, model)


def test_a_text_is_the_same_whenever_it_is_asked_for(at_home: Path) -> None:
    """As a resumed training asks for it later, beside others."""
    model = load_frozen(Registry.default(), "tiny-sd")
    first, later = (Pairs(at_home / "pairs", model) for _ in range(2))
    later.batch(torch.arange(30))
    picks = torch.tensor([3, 35, 12])
    assert torch.equal(later.batch(picks).text, first.batch(picks).text)
    assert int(first._texts.known.sum()) == 3


def test_what_was_checked_is_read_again_when_it_changes(spoiled: Path) -> None:
    """Pairs too large for the memory: every byte once, and then those of shards that changed."""
    model = load_frozen(Registry.default(), "tiny-sd")
    assert len(Pairs(spoiled, model, mapped=True)) == 40
    path = spoiled / "pairs-00001.parquet"
    stamp = path.stat().st_mtime_ns
    flip(path, 3000)
    os.utime(path, ns=(stamp, stamp))
    Pairs(spoiled, model, mapped=True)  # nothing seems to have changed
    with pytest.raises(UserError, match=r"pairs-00001.parquet is not as it was written"):
        folder.check(spoiled)
    os.utime(path)
    with pytest.raises(UserError, match=r"pairs-00001.parquet is not as it was written"):
        Pairs(spoiled, model, mapped=True)


CHANGES = {
    "does not say how it was made": lambda t: t.replace_schema_metadata({"instaflow": '{"shape": 3}'}),
    "its column latent is missing": lambda t: t.drop_columns("latent"),
    "its column seed is string": lambda t: t.set_column(1, "seed", t["prompt"]),
    "its column prompt lacks 16 values": lambda t: t.set_column(0, "prompt", pa.nulls(16, pa.string())),
    "its column noise lacks 16 values": lambda t: t.set_column(2, "noise", pa.nulls(16, t["noise"].type)),
    "its column latent holds values that are not finite": lambda t: t.set_column(
        3, "latent", pc.cast(pa.array([[float("nan")] * 1152] * 16), t["latent"].type)
    ),
    "does not hold the pairs of its name, seed 0 on": lambda t: t.take([1, *range(1, 16)]),
    "holds 15 pairs, not 16": lambda t: t.slice(1),
    "holds no pairs": lambda t: t.slice(0, 0),
}


@pytest.mark.parametrize(("message", "change"), CHANGES.items(), ids=CHANGES)
def test_a_shard_that_is_not_ours_is_named(spoiled: Path, message: str, change) -> None:
    path = spoiled / "pairs-00000.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(UserError, match=f"pairs-00000.parquet.*{message}"):
        Pairs(spoiled, load_frozen(Registry.default(), "tiny-sd"))


def copy_over(one: Path, other: Path) -> None:
    """A shard in another's place, with its sum."""
    for old, new in ((one, other), (sum_path(one), sum_path(other))):
        shutil.copy(old, new)


SPOILT = {
    "pairs-00001.parquet is missing": lambda f: (f / "pairs-00001.parquet").unlink(),
    "pairs-00002.parquet is missing": lambda f: (f / "pairs-00002.parquet").unlink(),
    "pairs-00001.parquet is not as it was written": lambda f: flip(f / "pairs-00001.parquet", 3000),
    "pairs-00000.parquet is not as it was written: pairs": lambda f: sum_path(
        f / "pairs-00000.parquet"
    ).unlink(),
    "pairs-00001.parquet does not hold the pairs of its name, seed 16": lambda f: copy_over(
        f / "pairs-00000.parquet", f / "pairs-00001.parquet"
    ),
    "pairs-00003.parquet is none of the 3 shards": lambda f: copy_over(
        f / "pairs-00000.parquet", f / "pairs-00003.parquet"
    ),
    "are not complete": lambda f: (f / "complete.json").unlink(),
}


@pytest.mark.parametrize(("message", "spoil"), SPOILT.items(), ids=SPOILT)
def test_a_spoiled_folder_is_refused_and_the_fault_named(spoiled: Path, message: str, spoil) -> None:
    assert folder.check(spoiled) == 40
    spoil(spoiled)
    with pytest.raises(UserError, match=message):
        folder.check(spoiled)
    with pytest.raises(UserError, match=message):
        Pairs(spoiled, load_frozen(Registry.default(), "tiny-sd"))


def test_values_that_are_not_finite_are_never_written(at_home: Path, tmp_path: Path) -> None:
    settings = folder.settings_of(at_home / "pairs")
    noise = np.zeros((2, 8, 12, 12), np.float16)
    latents = noise.copy()
    latents[1, 0, 0, 0] = np.inf
    with pytest.raises(UserError, match=r"not finite for seed 8 \('a tent'\)"):
        write_shard(tmp_path / "pairs-00000.parquet", settings, ["a lake", "a tent"], [7, 8], noise, latents)
    assert not list(tmp_path.iterdir())
