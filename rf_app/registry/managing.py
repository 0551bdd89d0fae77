"""What is done to models that are there: another title, deletion. Bundled models are protected from both."""

from dataclasses import replace

from rf_app.errors import UserError
from rf_app.registry.card import write_card
from rf_app.registry.disk import hidden_folder, sync, writable
from rf_app.registry.folders import Registry

MAX_TITLE = 80  # characters


def is_bundled(registry: Registry, id: str) -> bool:
    """Whether the model came with the program: only those of the last folder are the user's."""
    return registry.folder(id).parent != registry.folders[-1]


def borrowers(registry: Registry, id: str) -> list[str]:
    """The ids of the models that take pieces from this one, and would be broken without it."""
    return [card.id for card in registry.cards() if card.base_model == id and not _whole(registry, card.id)]


def _whole(registry: Registry, id: str) -> bool:
    return all(path.parent == registry.folder(id) for path in registry.pieces(id).values())


def rename(registry: Registry, id: str, title: str) -> str:
    """Give a model another title, and return it as it is now; its id stays: pictures and models name it.

    Raises UserError for a bundled model and for a title that is empty or too long.
    """
    title = " ".join(title.split())
    if not 1 <= len(title) <= MAX_TITLE:
        raise UserError(f"The title has {len(title)} characters; 1 to {MAX_TITLE} are accepted.")
    _refuse_bundled(registry, id, "renamed")
    folder = registry.folder(id)
    with writable(folder):
        write_card(folder, replace(registry.card(id), title=title))
    return title


def delete(registry: Registry, id: str) -> None:
    """Take a model away in one step, then free its place on the disk.

    Raises UserError for a bundled model and for one that others borrow from.
    """
    check_deletable(registry, id)
    root = registry.folders[-1]
    with writable(root), hidden_folder(root, id) as hidden:
        registry.folder(id).rename(hidden / id)
        sync(root)


def check_deletable(registry: Registry, id: str) -> None:
    """Raise UserError for a model that `delete` would refuse."""
    _refuse_bundled(registry, id, "deleted")
    needed_by = borrowers(registry, id)
    if needed_by:
        raise UserError(
            f"{id!r} cannot be deleted: {', '.join(needed_by)} {'takes' if len(needed_by) == 1 else 'take'} "
            "pieces from it. Delete them first."
        )


def _refuse_bundled(registry: Registry, id: str, done: str) -> None:
    if is_bundled(registry, id):
        raise UserError(f"{id!r} came with the program and cannot be {done}.")
