"""A card: the README.md of a folder in a store, with Hugging Face front matter and a block of our own.

The front matter is the truth; the body is the same for people: title, description, table of figures. A card
may come from anyone, so every value is looked at in one place, `card_of`, whatever it was read from.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml

from rf_app.errors import UserError
from rf_app.registry.disk import sync

README = "README.md"
KINDS = (
    *("diffusion", "rectified-flow", "one-step", "piecewise-flow"),
    *("consistency", "trajectory-consistency", "few-step", "turbo", "one-step-diffusion"),
)
ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
LONGEST = 55  # of an id made from a name: a recipe may add to it
HUB_LICENSES = {  # those that the Hub has a name for and models of this kind have; others are "other" there
    *("apache-2.0", "mit", "openrail", "openrail++", "creativeml-openrail-m", "bigscience-openrail-m"),
    *("cc", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0"),
    *("cc-by-nc-nd-4.0", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "agpl-3.0", "lgpl-3.0", "mpl-2.0"),
    *("unlicense", "wtfpl", "unknown", "other"),
}
MAX_CARD_BYTES = 262_144
MAX_DEPTH = 32
MAX_TEXT = 4096  # characters of a value
MAX_NUMBER = 2.0**64  # a seed may have 64 bits
MAX_ANCESTORS = 100
SIDE_STEP = 8  # pixels
MOST_AREAS = 3  # a picture has at most so many times the pixels that the model was trained on
FRONT_MATTER = re.compile(r"\s*---[ \t]*\r?\n(.*?)\n---[ \t]*(?:\r?\n(.*))?", re.DOTALL)

CardT = TypeVar("CardT", bound="Card")


@dataclass(frozen=True)
class Card:
    """What the page, the trainers and a reader know about something in a store without loading it."""

    NAME: ClassVar[str]  # what messages call it
    BLOCK: ClassVar[tuple[str, ...]]  # the fields that stand under "instaflow:", in this order
    FRONT: ClassVar[dict[str, str]] = {}  # fields that stand beside it besides license and base_model

    id: str  # the folder's name
    title: str
    description: str = ""
    _: KW_ONLY
    license: str = "unknown"
    base_model: str | None = None  # what it was made from, or is for
    base_weights: str = ""  # what that lent then, see `rf_app.registry.bases`
    measured: dict[str, Any] = field(default_factory=dict)  # figures and what they were measured on
    settings: dict[str, Any] = field(default_factory=dict)  # how it was trained

    @property
    def tags(self) -> list[str]:
        """What the Hub files it under."""
        return [self.NAME.lower(), "instaflow"]

    @classmethod
    def by_name(cls: type[CardT], id: str) -> CardT | None:
        """The card of a folder as it comes from the Hub, without our block; None if it needs one."""
        return None


@dataclass(frozen=True, kw_only=True)
class ModelCard(Card):
    """The card of a model; base_model gives the pieces that its folder does not carry."""

    NAME = "model"
    BLOCK = (
        *("kind", "title", "resolution", "smallest_side", "largest_side", "steps", "guidance"),
        *("lineage", "base_weights", "settings", "measured"),
    )

    kind: str  # one of KINDS
    resolution: int  # pixels a side
    steps: int  # recommended
    guidance: float  # recommended; 1 means none
    lineage: tuple[str, ...] = ()  # the models it was made from, oldest first
    smallest_side: int = 0  # pixels of a picture's side that it can draw; 0: half its resolution
    largest_side: int = 0  # likewise; 0: twice its resolution

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        if self.kind not in KINDS:
            raise UserError(f"'kind' is {self.kind!r:.80}; expected one of {', '.join(KINDS)}.")
        if not 8 <= self.resolution <= 4096 or not 1 <= self.steps <= 100 or not 0 <= self.guidance <= 20:
            raise UserError("resolution must be in 8..4096, steps in 1..100 and guidance in 0..20.")
        if not 0 <= self.smallest_side <= self.resolution or not (
            self.largest_side == 0 or self.resolution <= self.largest_side <= 4096
        ):
            raise UserError("smallest_side and largest_side must have the resolution between them, or be 0.")

    @property
    def sides(self) -> tuple[int, int]:
        """The smallest and the largest side of its pictures, pixels, multiples of SIDE_STEP."""
        smallest = self.smallest_side or self.resolution // 2
        largest = self.largest_side or 2 * self.resolution
        return -(-smallest // SIDE_STEP) * SIDE_STEP, largest // SIDE_STEP * SIDE_STEP

    @property
    def most_pixels(self) -> int:
        """Of a picture: beyond that a model only repeats what is in it."""
        return MOST_AREAS * self.resolution**2

    @property
    def tags(self) -> list[str]:
        """What the Hub files it under."""
        return ["text-to-image", "instaflow", self.kind]


def check_id(id: str, of: str = "model") -> str:
    """The id itself, if it can be a folder's name; raises UserError otherwise. of: what it is the id of."""
    if not isinstance(id, str) or not ID_PATTERN.fullmatch(id):
        raise UserError(
            f"{capital(of)} id {id!r:.80}: use 1 to 64 of a-z, 0-9, '.', '_', '-', starting with a letter "
            "or digit."
        )
    return id


def capital(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[0].upper() + text[1:]


def as_id(title: str) -> str:
    """An id from a name: "Café 2" as "cafe-2"; with a hash where another script or the length is lost."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", title.strip()) if not unicodedata.combining(c))
    id = re.sub(r"[^a-z0-9._-]+", "-", bare.lower()).strip("-._")
    if not bare or (id and len(id) <= LONGEST and not any(c.isalnum() and not c.isascii() for c in bare)):
        return id
    return f"{id[: LONGEST - 9].rstrip('-._') or 'own'}-{hashlib.sha256(bare.encode()).hexdigest()[:8]}"


def write_card(folder: Path, card: Card) -> None:
    """Write README.md into a folder in one step: readers see the old card or the new one.

    Raises UserError for a card that could not be read again.
    """
    card_of(type(card), card.id, vars(card))
    block = {name: getattr(card, name) for name in card.BLOCK}
    for each in fields(card):
        if isinstance(each.default, (str, float, int)) and block.get(each.name) == each.default:
            del block[each.name]  # it says nothing
    front: dict[str, Any] = {"license": card.license}
    if card.license not in HUB_LICENSES:
        front = {"license": "other", "license_name": as_id(card.license)}
        block["license"] = card.license
    if card.base_model is not None:
        front["base_model"] = card.base_model
    front |= {"library_name": "diffusers", "pipeline_tag": "text-to-image", "tags": card.tags}
    front |= {name: getattr(card, own) for own, name in card.FRONT.items()}
    front["instaflow"] = block
    lines = ["---", yaml.safe_dump(front, sort_keys=False, allow_unicode=True).rstrip(), "---", ""]
    lines += [f"# {card.title}", "", card.description.strip(), ""]
    rows = list(flat(card.measured))
    if rows:
        lines += ["## Measured", "", "| figure | value |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in rows] + [""]
    temporary = folder / f".{README}.new"
    try:
        temporary.write_text("\n".join(lines), encoding="utf-8")
        sync(temporary)  # or a power cut could leave an empty card in the place of the old one
        temporary.replace(folder / README)
    finally:
        temporary.unlink(missing_ok=True)


def flat(figures: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Figures of a card, one in another or not, by all their names and as people read them."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", f"{value:.4g}" if isinstance(value, float) else str(value)


def read_card(folder: Path, kind: type[CardT] = ModelCard) -> CardT:
    """The card of a folder, whose name is the id; raises UserError naming the file and the fault."""
    id, path = check_id(folder.name, kind.NAME), folder / README
    try:
        try:
            front, description = read_front(path)
            if not isinstance(front.get("instaflow"), dict):
                raise UserError("the front matter has no 'instaflow:' block.")
        except UserError:
            named = kind.by_name(id)
            if named is None:
                raise
            return named
        found = {name: front["instaflow"].get(name) for name in kind.BLOCK}
        beside = {"license": "license", "base_model": "base_model"} | kind.FRONT
        found |= {own: front.get(name) for own, name in beside.items()}
        own = front["instaflow"].get("license")
        found["license"] = license_in(front) if own is None else own
        return card_of(kind, id, found | {"description": description})
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


ACCEPTED: dict[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (int, float),
    str | None: (str,),
    tuple[str, ...]: (list, tuple),
    dict[str, Any]: (dict,),
}
"""What a field of a type may be read from."""


def card_of(kind: type[CardT], id: str, found: dict[str, Any]) -> CardT:
    """The card with the values found; those that are None or not there have their defaults.

    Raises UserError for a value of another type or out of bounds, for an absent one that has no default, and
    for what YAML and JSON can hold and a program trips over, however deep: infinite or endless numbers, keys
    that are no text, values of other kinds.
    """
    values = {"id": id, "title": id}
    for each in fields(kind):
        value = found.get(each.name)
        optional = each.name == "title" or (each.default, each.default_factory) != (MISSING, MISSING)
        if each.name == "id" or (value is None and optional):
            continue
        try:
            _check_plain(value, MAX_CARD_BYTES if each.name == "description" else MAX_TEXT)
        except UserError as error:
            raise UserError(f"'{each.name}' holds {error}") from None
        accepted = ACCEPTED[each.type]
        if not isinstance(value, accepted) or isinstance(value, bool):
            wanted = " or ".join(one.__name__ for one in accepted if one is not tuple)
            raise UserError(f"'{each.name}' is {value!r:.80}; expected {wanted}.")
        if each.name == "lineage":
            if len(value) > MAX_ANCESTORS or not all(isinstance(ancestor, str) for ancestor in value):
                raise UserError(f"'lineage' is {value!r:.80}; expected up to {MAX_ANCESTORS} ids.")
            value = tuple(value)
        values[each.name] = float(value) if each.type is float else value
    return kind(**values)


def _check_plain(value: Any, longest: int, depth: int = 0) -> None:
    kind = type(value)
    if kind is str:
        if len(value) > longest:
            raise UserError(f"a text of {len(value):,} characters; up to {longest:,} are accepted.")
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise UserError("half a character (a surrogate), which is no text.")
    elif kind is int or kind is float:
        if not -MAX_NUMBER <= value <= MAX_NUMBER:
            raise UserError("a number that is not finite, or beyond 64 bits.")
    elif kind is dict or kind is list or kind is tuple:
        if depth > MAX_DEPTH:
            raise UserError(f"values more than {MAX_DEPTH} deep.")
        for each in value:
            if kind is dict and type(each) is not str:
                raise UserError(f"a key that is no text but {type(each).__name__}; put it into quotes.")
            _check_plain(each, longest, depth + 1)
            if kind is dict:
                _check_plain(value[each], longest, depth + 1)
    elif value is not None and kind is not bool:
        raise UserError(f"a value of the kind {kind.__name__}; put it into quotes.")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # libyaml where there is one: six times as fast
    """The safe loader, for which a date is a text: JSON has no dates."""

    yaml_implicit_resolvers: ClassVar = {
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def license_in(front: dict[str, Any]) -> Any:
    """What front matter says of the license: a name, or several as one text; of another than those that the
    Hub knows the name that stands beside it.
    """
    found = front.get("license")
    if found == "other" and isinstance(front.get("license_name"), str):
        return front["license_name"]
    return ", ".join(each for each in found if isinstance(each, str)) if isinstance(found, list) else found


def read_front(path: Path) -> tuple[dict[str, Any], str]:
    """The front matter of any README.md, and its description; raises UserError for the fault."""
    try:
        if not path.is_file():
            raise UserError("the card cannot be read (it is no file).")
        if path.stat().st_size > MAX_CARD_BYTES:
            raise UserError(f"a card may have at most {MAX_CARD_BYTES} bytes.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"the card cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise UserError("the card is not UTF-8 text.") from None
    parts = FRONT_MATTER.fullmatch(text)
    if not parts:
        raise UserError("the card has no front matter between two '---' lines.")
    try:
        _check_form(parts[1])
        front = yaml.load(parts[1], _Loader)  # a safe one
    except UserError:
        raise
    except Exception as error:  # a parser of hostile text: it may raise anything
        said = [*str(error).splitlines(), type(error).__name__][0]
        raise UserError(f"the front matter is not YAML ({said}).") from None
    return front if isinstance(front, dict) else {}, _description(parts[2] or "")


def _check_form(front: str) -> None:
    """Refuse what YAML can do to a reader: aliases, which can stand for gigabytes, and depth without end."""
    depth = 0
    for event in yaml.parse(front, _Loader):
        if isinstance(event, yaml.AliasEvent):
            raise UserError(
                "the front matter uses YAML aliases, which can stand for gigabytes; write it out."
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise UserError(f"the front matter is nested more than {MAX_DEPTH} deep.")


def _description(body: str) -> str:
    """The text between the title and the table of figures, or what an export says on its use."""
    text = re.split(r"\n## (?:Measured|Use)\n", body, maxsplit=1)[0].strip()
    return re.sub(r"\A#[^\n]*\n?", "", text).strip()
