"""Cards: what is written is read again, and what is broken is named."""

from dataclasses import replace

import pytest
import yaml

from rf_app.errors import UserError
from rf_app.registry.card import ModelCard, as_id, check_id, read_card, write_card
from rf_app.registry.controlnets import ControlNetCard
from rf_app.registry.loras import LoraCard
from rf_app.registry.store import ASSETS
from tests.tiny import tiny_card

CARD = replace(
    tiny_card("my-model", "one-step", 1, 1.0, "tiny-sd"),
    title="Mine: with a colon, “quotes” & 山",
    description="Two lines\nof text.\n\n## A heading\n\nand a paragraph.",
    lineage=("tiny-sd", "tiny-2rf"),
    measured={"fid": 12.5, "fidelity": {"mean": 0.97, "land": 1.0}, "on": "2,000 held-out prompts"},
    settings={"steps": 3000, "learning_rate": 1e-4, "loss": ["l2", "lpips"]},
)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "my-model"
    folder.mkdir()
    write_card(folder, CARD)
    return folder


def test_round_trip(folder):
    assert read_card(folder) == CARD
    assert [path.name for path in folder.iterdir()] == ["README.md"]


def test_front_matter_is_that_of_the_hub(folder):
    front = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert front["license"] == "apache-2.0"
    assert front["base_model"] == "tiny-sd"
    assert front["pipeline_tag"] == "text-to-image"
    assert "one-step" in front["tags"]


def test_figures_stand_in_a_table(folder):
    assert "| fidelity land | 1 |" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("---\nlicense", "license", "no front matter"),
        ("license: apache-2.0", "license: [", "not YAML"),
        ("instaflow:", "other:", "no 'instaflow:' block"),
        ("kind: one-step", "kind: two-step", "expected one of diffusion, rectified-flow, one-step"),
        ("resolution: 96", "resolution: big", "'resolution' is 'big'; expected int"),
        ("resolution: 96", "resolution: 96000", "resolution must be in 8..4096"),
        ("steps: 1\n", "steps: true\n", "'steps' is True"),
        ("guidance: 1.0", "guidance: .nan", "'guidance' holds a number that is not finite"),
        ("guidance: 1.0", "guidance: 21", "guidance in 0..20"),
        ("guidance: 1.0", "guidance: " + "9" * 400, "beyond 64 bits"),
        ("guidance: 1.0", "guidance: 0x" + "f" * 9000, "beyond 64 bits"),
        ("mean: 0.97", "mean: .inf", "'measured' holds a number that is not finite"),
        ("mean: 0.97", "mean: !!set {a}", "'measured' holds a value of the kind set"),
        ("mean: 0.97", "on: 1", "'measured' holds a key that is no text but bool"),
        ("mean: 0.97", "a: !!int ''", "not YAML"),
        ("mean: 0.97", "a: !!timestamp x", "not YAML"),
        ("mean: 0.97", "a: " + "1:" * 3000 + "1.5", "not YAML"),
        ("- tiny-sd\n", "- [tiny-sd]\n", "'lineage' is"),
        ("- tiny-sd\n", "- tiny-sd\n" + "  - a\n" * 100, "up to 100 ids"),
        ("license: apache-2.0", "license: " + "x" * 5000, "a text of 5,000 characters"),
        ("license: apache-2.0", "license: &a [x, x]\nmore: [*a, *a]", "YAML aliases"),
        ("license: apache-2.0", "license: " + "[" * 100_000, "nested more than 32 deep"),
        ("license: apache-2.0", "license: !!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_broken_cards_say_where_and_what(folder, old, new, message):
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        read_card(folder)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"-" * 300_000])
def test_cards_that_are_no_text(folder, content):
    (folder / "README.md").write_bytes(content)
    with pytest.raises(UserError, match=r"README\.md"):
        read_card(folder)


def test_no_card(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    "id", ["", "..", "../x", "a/b", "A", ".hidden", "a b", "x" * 65, "ü", "a\n", None, 3]
)
def test_ids_that_cannot_be_folders(id):
    with pytest.raises(UserError, match="1 to 64 of"):
        check_id(id)


@pytest.mark.parametrize("id", ["a", "0", "pocket-2rf", "sd.v1_5", "x" * 64])
def test_ids_that_can(id):
    assert check_id(id) == id


@pytest.mark.parametrize(
    ("title", "id"),
    [
        ("My Model", "my-model"),
        ("Café  №2", "cafe-no2"),
        ("Tom’s boats", "tom-s-boats"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_an_id_is_read_from_a_name(title: str, id: str) -> None:
    assert as_id(title) == id


@pytest.mark.parametrize("title", ["Моя модель", "日本", "Берег 2 boats", "!!!", "x" * 60, "<script>" * 7])
def test_names_that_an_id_cannot_hold_have_ids_of_their_own(title: str) -> None:
    ids = [as_id(f"{title}{end}") for end in ("", " 2", " 3")]
    assert len(set(ids)) == 3
    for id in ids:
        assert len(check_id(f"{id}-teacher")) <= 63


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.split("\n---\n")[0] + "\n---",
        lambda text: text.replace("---\n", "--- \n"),
        lambda text: "\ufeff" + text,
        lambda text: "\n\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("license: apache-2.0", 'license: "apache-2.0"'),
        lambda text: text.replace("license: apache-2.0", "license:\n- apache-2.0"),
    ],
    ids=["no body", "space after ---", "byte order mark", "blank lines", "CRLF", "quoted", "list"],
)
def test_other_tools_forms_of_the_same_card(folder, change):
    path = folder / "README.md"
    path.write_bytes(change(path.read_text(encoding="utf-8")).encode())
    found = read_card(folder)
    assert replace(found, description="") == replace(CARD, description="")


def test_a_card_without_a_licence_and_with_a_date(folder):
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8").replace("license: apache-2.0\n", "")
    path.write_text(text.replace("mean: 0.97", "day: 2026-11-21"), encoding="utf-8")
    assert read_card(folder).license == "unknown"
    assert read_card(folder).measured["fidelity"]["day"] == "2026-11-21"


def test_another_licence_has_its_name_beside_it(folder):
    """As that of SD-Turbo."""
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8").replace("license: apache-2.0\n", "license: other\n")
    path.write_text(text.replace("license: other\n", "license: other\nlicense_name: sai-nc\n"), "utf-8")
    assert read_card(folder).license == "sai-nc"


def test_what_could_not_be_read_again_is_not_written(folder):
    before = (folder / "README.md").read_bytes()
    with pytest.raises(UserError, match="'measured' holds a number that is not finite"):
        write_card(folder, replace(CARD, measured={"fid": float("nan")}))
    assert (folder / "README.md").read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["README.md"]


@pytest.mark.parametrize("path", sorted(ASSETS.glob("*/*/README.md")), ids=lambda path: path.parent.name)
def test_a_bundled_card_is_written_as_it_is(path, tmp_path):
    kinds = {"models": ModelCard, "loras": LoraCard, "controlnets": ControlNetCard}
    write_card(tmp_path, read_card(path.parent, kinds[path.parents[1].name]))
    assert (tmp_path / "README.md").read_bytes() == path.read_bytes()
