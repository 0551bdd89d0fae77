"""Models on disk: pieces of a diffusers pipeline, some of them borrowed from another model."""

import os
from pathlib import Path

from rf_app.errors import UserError
from rf_app.registry.bases import has_all, lent_by
from rf_app.registry.card import README, ModelCard
from rf_app.registry.checking import BORROWED, OPTIONAL, OWN, WEIGHTS, check_piece
from rf_app.registry.store import Store
from rf_app.settings.bundled import ASSETS

BUNDLED = ASSETS / "models"


class Registry(Store[ModelCard]):
    """Models by id. Earlier folders win; new models go into the last one."""

    CARD = ModelCard
    FOLDER = "models"
    CONTENT = f"{README} and the pieces of a diffusers model, as an import makes it of the file"

    def pieces(self, id: str) -> dict[str, Path]:
        """The folders of unet, scheduler, vae, text_encoder and tokenizer, some of them of the base model; of
        safety_checker, too, where there is one.
        """
        return self._pieces(self.folder(id))

    def lender(self, id: str) -> str:
        """Whom a model made from this one borrows from: this one if it has pieces to lend, else its base."""
        folder = self.folder(id)
        lends = any((folder / name).is_dir() for name in BORROWED)
        return id if lends else self.card(id).base_model or id

    def borrowers(self, id: str) -> list[str]:
        """The ids of the models that take pieces from this one, and would be broken without it."""
        return [
            card.id
            for card in self.cards()
            if card.base_model == id
            and any(piece.parent != self.folder(card.id) for piece in self.pieces(card.id).values())
        ]

    def check_deletable(self, id: str) -> None:
        """Raise UserError for a model that `delete` would refuse."""
        super().check_deletable(id)
        needed_by = self.borrowers(id)
        if needed_by:
            raise UserError(
                f"{id!r} cannot be deleted: {', '.join(needed_by)} "
                f"{'takes' if len(needed_by) == 1 else 'take'} pieces from it. Delete them first."
            )

    def lent_by(self, base: str | None) -> str:
        """As `rf_app.registry.bases.lent_by`, of these models."""
        return lent_by(self.folders, base)

    def needs_base(self, folder: Path) -> bool:
        """Whether it borrows anything that a flow knows by heart."""
        return not has_all(folder)

    def parts(self, folder: Path) -> list[Path]:
        """The model's pieces."""
        return list(self._pieces(folder).values())

    def check_part(self, folder: Path) -> None:
        """Raise UserError unless a piece is whole and harmless."""
        check_piece(folder)

    def check(self, folder: Path) -> None:
        """Load the model as a reader will, and refuse weights of its own that a diverged training left."""
        from rf_app.registry.loading import check_loads  # PyTorch takes seconds; listing does without

        check_loads(folder, self._pieces(folder), self._index.card(folder).kind)

    def _pieces(self, folder: Path) -> dict[str, Path]:
        pieces, owners = {name: folder / name for name in OWN}, [folder]
        while True:
            owner, missing = owners[-1], [name for name in BORROWED if name not in pieces]
            pieces |= {name: owner / name for name in missing if (owner / name).is_dir()}
            missing = [name for name in missing if name not in pieces]
            if not missing:
                brought = [owner / name for owner in reversed(owners) for name in OPTIONAL]
                # A link that is gone is a fault, too: nothing is to be drawn unchecked for that.
                return pieces | {
                    each.name: each for each in brought if os.path.lexists(each / WEIGHTS[each.name])
                }
            base = self._index.card(owner).base_model
            if base is None:
                raise UserError(
                    f"{owner / missing[0]}: missing, and the card names no base_model to take it from."
                )
            try:
                owners.append(self.folder(base))
            except UserError as error:
                raise UserError(f"{owner}: its base_model cannot be used. {error}") from None
            if owners[-1] in owners[:-1]:
                raise UserError(
                    f"{folder}: base_model leads in a circle and no model of it has {missing[0]}/."
                )
