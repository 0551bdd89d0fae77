"""Whether visitors may change what is on this machine: import and delete models, train.

On one's own computer they may. A public Space sets SPACE_ID, and a page on the network that asks for no
password is open to whoever reaches it: these visitors are strangers, and may only if the owner says so.
Endpoints ask here themselves; that a button is not shown stops nobody.
"""

import os
import re
from dataclasses import dataclass

from rf_app.errors import UserError

# Of an absolute path; no address and no fraction.
FOLDERS = re.compile(r"""(?<![\w:/.<])/(?:[^\s/'"<>]+/)+""")


@dataclass(frozen=True)
class Permission:
    """allowed: the owner's word, `--allow-training`. open_to_strangers: anyone on a network gets here."""

    allowed: bool = False
    open_to_strangers: bool = False

    def __bool__(self) -> bool:
        """Whether changes are allowed here."""
        return self.allowed or not (self.open_to_strangers or "SPACE_ID" in os.environ)

    def check(self, what: str) -> None:
        """Raise UserError unless changes are allowed; what: "Importing", "Deleting a model", …."""
        if not self:
            raise UserError(
                f"{what} is off on this public page. Run your own copy, or, as its owner, start it with "
                "--allow-training."
            )

    def told(self, error: Exception) -> str:
        """The message as visitors may read it: where things lie here is no stranger's business."""
        return str(error) if self else FOLDERS.sub("", str(error))
