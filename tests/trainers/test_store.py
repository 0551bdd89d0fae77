"""Reading pairs: the same in memory and memory-mapped; every pair once an epoch."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from rf_app.errors import UserError
from rf_app.registry.models import Registry
from trainers.common.models import encode, load_frozen
from trainers.data.store import Order, Pairs
from trainers.pocket.first_edition.world import describe  # tiny-sd knows no word of the second


def test_held_and_mapped_pairs_are_the_same(at_home: Path) -> None:
    model = load_frozen(Registry.default(), "tiny-sd")
    indices = torch.tensor([39, 0, 17, 17])
    held, mapped = (Pairs(at_home / "pairs", model, mapped).batch(indices) for mapped in (False, True))
    assert held.x0.shape == held.x1.shape == (4, 8, 12, 12)
    assert held.x0.dtype == torch.float32
    for name in ("x0", "x1", "text"):
        assert torch.equal(getattr(held, name), getattr(mapped, name))
    assert torch.equal(held.x0[2], held.x0[3])


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


CHANGES = {
    "does not say how it was made": lambda t: t.replace_schema_metadata({"instaflow": '{"shape": 3}'}),
    "its column latent is missing": lambda t: t.drop_columns("latent"),
    "its column seed is string": lambda t: t.set_column(1, "seed", t["prompt"]),
    "its column prompt lacks 16 values": lambda t: t.set_column(0, "prompt", pa.nulls(16, pa.string())),
    "its column noise lacks 16 values": lambda t: t.set_column(2, "noise", pa.nulls(16, t["noise"].type)),
    "holds no pairs": lambda t: t.slice(0, 0),
}


@pytest.mark.parametrize(("message", "change"), CHANGES.items(), ids=CHANGES)
def test_a_shard_that_is_not_ours_is_named(at_home: Path, tmp_path: Path, message: str, change) -> None:
    table = pq.read_table(at_home / "pairs" / "pairs-00000.parquet")
    pq.write_table(change(table), tmp_path / "pairs-00000.parquet")
    with pytest.raises(UserError, match=f"pairs-00000.parquet.*{message}"):
        Pairs(tmp_path, load_frozen(Registry.default(), "tiny-sd"))
