"""Publishing what is plugged into a model, a LoRA or a ControlNet: a folder with a card, whole or absent."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from rf_app.errors import UserError
from rf_app.registry.card import check_id
from rf_app.registry.disk import disk_full_named, hidden_folder, put_in_place, sync, sync_tree
from rf_app.registry.folders import Registry

Kind = Literal["loras", "controlnets"]


def plugin_folder(kind: Kind, given: Path | None) -> Path:
    """Where plug-ins of a kind are published: `given`, or the user's folder."""
    return given or Registry.default().folders[-1].parent / kind


def check_free(root: Path, id: str, overwrite: bool) -> None:
    """Refuse an id that publishing would refuse, before the training rather than after."""
    check_id(id, "Plug-in")
    bundled = Registry.default().folders[0].parent / root.name / id
    if bundled.exists() and bundled.parent.absolute() != root.absolute():
        raise UserError(f"{id!r} is the id of one of the bundled {root.name}: choose another --output.")
    if (root / id).exists() and not overwrite:
        raise UserError(f"There is already {id!r} in {root}: choose another --output, or give --overwrite.")


def publish(root: Path, id: str, build: Callable[[Path], None], overwrite: bool) -> None:
    """Let `build` fill a hidden folder, card and all, and move it into place in one step.

    Raises UserError for a taken or malformed id, and `DiskFull`; nothing is left behind then.
    """
    check_free(root, id, overwrite)
    target = root / id
    with disk_full_named(target), hidden_folder(root, id) as hidden:
        fresh = hidden / id
        fresh.mkdir()
        build(fresh)
        sync_tree(fresh)
        if not put_in_place(fresh, target, overwrite):
            raise UserError(f"There is already {id!r} in {root}: choose another --output.")
        sync(root)
    print(f"published {id} in {target}", flush=True)
