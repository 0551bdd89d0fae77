"""A model's card: the README.md of its folder, with Hugging Face front matter and a block of our own.

The front matter is the truth; the body is the same for people: title, description, table of figures.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from rf_app.errors import UserError

KINDS = ("diffusion", "rectified-flow", "one-step")
ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
LONGEST = 55  # of an id made from a name: a recipe may add to it
MAX_CARD_BYTES = 262_144
MAX_DEPTH = 32
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where there is one: six times as fast


@dataclass(frozen=True)
class ModelCard:
    """What the page, the trainers and a reader know about a model without loading it."""

    id: str  # the folder's name
    title: str
    kind: str  # one of KINDS
    description: str
    resolution: int  # pixels a side
    steps: int  # recommended
    guidance: float  # recommended; 1 means none
    license: str
    base_model: str | None = None  # gives the pieces this folder does not carry
    lineage: tuple[str, ...] = ()  # the models it was made from, oldest first
    measured: dict[str, Any] = field(default_factory=dict)  # figures and what they were measured on
    settings: dict[str, Any] = field(default_factory=dict)  # how it was trained


def check_id(id: str, of: str = "Model") -> str:
    """The id itself, if it can be a folder's name; raises UserError otherwise. of: what it is the id of."""
    if not isinstance(id, str) or not ID_PATTERN.fullmatch(id):
        raise UserError(
            f"{of} id {id!r:.80}: use 1 to 64 of a-z, 0-9, '.', '_', '-', starting with a letter or digit."
        )
    return id


def as_id(title: str) -> str:
    """An id from a name: "Café 2" as "cafe-2"; with a hash where another script or the length is lost."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", title.strip()) if not unicodedata.combining(c))
    id = re.sub(r"[^a-z0-9._-]+", "-", bare.lower()).strip("-._")
    if not bare or (id and len(id) <= LONGEST and not any(c.isalnum() and not c.isascii() for c in bare)):
        return id
    return f"{id[: LONGEST - 9].rstrip('-._') or 'own'}-{hashlib.sha256(bare.encode()).hexdigest()[:8]}"


def write_card(folder: Path, card: ModelCard) -> None:
    """Write README.md into a model folder in one step: readers see the old card or the new one."""
    block = {
        "kind": card.kind,
        "title": card.title,
        "resolution": card.resolution,
        "steps": card.steps,
        "guidance": card.guidance,
        "lineage": list(card.lineage),
        "settings": card.settings,
        "measured": card.measured,
    }
    write_readme(folder, card, ["text-to-image", "instaflow", card.kind], block)


def write_readme(
    folder: Path,
    card: Any,
    tags: list[str],
    block: dict[str, Any],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write the README.md of any card with license, base_model, title, description and measured, in one step.

    block: what stands under "instaflow:" in the front matter; more: what stands beside it.
    """
    front: dict[str, Any] = {"license": card.license}
    if card.base_model:
        front["base_model"] = card.base_model
    front |= {
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "tags": tags,
        **more,
        "instaflow": block,
    }
    lines = ["---", yaml.safe_dump(front, sort_keys=False, allow_unicode=True).rstrip(), "---", ""]
    lines += [f"# {card.title}", "", card.description.strip(), ""]
    rows = list(_rows(card.measured))
    if rows:
        lines += ["## Measured", "", "| figure | value |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in rows] + [""]
    temporary = folder / ".README.md.new"
    temporary.write_text("\n".join(lines), encoding="utf-8")
    temporary.replace(folder / "README.md")


def _rows(figures: dict[str, Any], prefix: str = ""):
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _rows(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", f"{value:.4g}" if isinstance(value, float) else str(value)


def _check_form(front: str, broken: Callable[[str], UserError]) -> None:
    """Refuse what YAML can do to a reader: aliases, which can stand for gigabytes, and depth without end."""
    depth = 0
    for event in yaml.parse(front, LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise broken("the front matter uses YAML aliases, which can stand for gigabytes; write it out.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise broken(f"the front matter is nested more than {MAX_DEPTH} deep.")


class Readme:
    """The README.md of a folder: its front matter and body, and typed values of them."""

    def __init__(self, folder: Path):
        """Raises UserError naming the file and the fault."""
        self.path = folder / "README.md"
        try:
            if self.path.stat().st_size > MAX_CARD_BYTES:
                raise self.broken(f"a card may have at most {MAX_CARD_BYTES} bytes.")
            text = self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise self.broken(f"the model's card cannot be read ({error.strerror}).") from None
        except UnicodeDecodeError:
            raise self.broken("the card is not UTF-8 text.") from None
        parts = re.match(r"---\r?\n(.*?)\n---\r?\n(.*)", text, re.DOTALL)
        if not parts:
            raise self.broken("the card has no front matter between two '---' lines.")
        try:
            _check_form(parts[1], self.broken)
            front = yaml.load(parts[1], LOADER)  # a safe one
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            if isinstance(error, UserError):
                raise
            raise self.broken(f"the front matter is not YAML ({str(error).splitlines()[0]}).") from None
        block = front.get("instaflow") if isinstance(front, dict) else None
        if not isinstance(block, dict):
            raise self.broken("the front matter has no 'instaflow:' block.")
        self.front, self.block = front, block
        self.description = _description(parts[2])

    def broken(self, reason: str) -> UserError:
        """The error for a fault of this card."""
        return UserError(f"{self.path}: {reason}")

    def value(
        self,
        name: str,
        kind: type | tuple[type, ...],
        source: dict[str, Any] | None = None,
        default: Any = None,
    ) -> Any:
        """A value of our block, or of `source`; raises UserError for one of another type."""
        found = (self.block if source is None else source).get(name, default)
        if not isinstance(found, kind) or isinstance(found, bool):
            wanted = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
            raise self.broken(f"'{name}' is {found!r:.80}; expected {wanted.replace('NoneType', 'nothing')}.")
        return found


def read_card(folder: Path) -> ModelCard:
    """The card of a model folder, whose name is the id; raises UserError naming the file and the fault."""
    readme = Readme(folder)
    value = readme.value
    card = ModelCard(
        id=check_id(folder.name),
        title=value("title", str),
        kind=value("kind", str),
        description=readme.description,
        resolution=value("resolution", int),
        steps=value("steps", int),
        guidance=float(value("guidance", (int, float))),
        license=value("license", str, readme.front),
        base_model=value("base_model", (str, type(None)), readme.front),
        lineage=tuple(str(ancestor) for ancestor in value("lineage", list, default=[])),
        measured=value("measured", dict, default={}),
        settings=value("settings", dict, default={}),
    )
    if card.kind not in KINDS:
        raise readme.broken(f"'kind' is {card.kind!r:.80}; expected one of {', '.join(KINDS)}.")
    if not 8 <= card.resolution <= 4096 or not 1 <= card.steps <= 100 or not 0 <= card.guidance <= 20:
        raise readme.broken("resolution must be in 8..4096, steps in 1..100 and guidance in 0..20.")
    return card


def _description(body: str) -> str:
    """The text between the title and the table of figures, or what an export says on its use."""
    text = re.split(r"\n## (?:Measured|Use)\n", body, maxsplit=1)[0].strip()
    return re.sub(r"\A#[^\n]*\n?", "", text).strip()
