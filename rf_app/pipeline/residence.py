"""What stays in memory between pictures, by its bytes: models, ControlNets, the refiner.

Pieces that several share count once. Where another needs the room the least recently used leave, and for
real: the allocators give back what they held. What the picture at hand uses stays whatever happens.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import chain
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import torch
from torch import nn

from rf_app.errors import UserError, is_out_of_memory
from rf_app.pipeline.memory import available, decoding_bytes, give_back, sampling_bytes, scale
from rf_app.registry.disk import Files

SHARE = 0.75  # of the memory that there is at the start: the rest is for pictures, and for others
SPARE = 256 * 2**20  # bytes, that are never counted on

Result = TypeVar("Result")


class Residence:
    """Least recently used first; for one thread at a time."""

    def __init__(self, device: torch.device, budget: int | None = None):
        """budget: bytes of all that stays, default SHARE of what there is."""
        self.device = device
        self.budget = int(SHARE * available(device)) if budget is None else budget
        self.pieces: WeakValueDictionary[Files, Any] = WeakValueDictionary()  # of models, to be shared
        self._kept: OrderedDict[Hashable, tuple[Any, tuple[nn.Module, ...]]] = OrderedDict()
        self._in_use: set[Hashable] = set()

    def __iter__(self) -> Iterator[Hashable]:
        """The keys of all that is here, the one used last at the end."""
        return iter(self._kept)

    @property
    def used(self) -> int:
        """Bytes of all weights that are here."""
        modules = {id(each): each for _, modules in self._kept.values() for each in modules}
        weights = chain.from_iterable(chain(each.parameters(), each.buffers()) for each in modules.values())
        return sum(each.nbytes for each in {id(each): each for each in weights}.values())

    def get(self, key: Hashable) -> Any | None:
        """What is kept under a key, which is in use from now on; None where nothing is."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        self._in_use.add(key)
        return self._kept[key][0]

    def keep(self, key: Hashable, thing: Any, modules: Iterable[nn.Module]) -> None:
        """Keep something, which is in use; modules: those that have its weights."""
        self._kept[key] = thing, tuple(modules)
        self._in_use.add(key)

    def drop(self, key: Hashable) -> None:
        """Let something go, if it is here."""
        self._kept.pop(key, None)
        self._in_use.discard(key)

    def make_room(self, needed: int, called: str) -> None:
        """Let the least recently used go until so many bytes of weights can be taken.

        Raises UserError, beginning with `called`, where the device has not so many.
        """
        self._let_go(lambda: self.used + needed > self.budget or self.room < needed)
        if self.room < needed:
            raise UserError(
                f"{called}: takes {needed / 2**30:.1f} GB of memory, and {self.room / 2**30:.1f} GB are free."
            )

    def room_for(self, unet: nn.Module, vae: nn.Module, size: tuple[int, int], guided: bool) -> bool:
        """Make room for a picture; whether its decoder has to work in tiles, because there is too little.

        size: height and width of the latents. Raises UserError where even that is too much.
        """
        sampling = sampling_bytes(unet, size, 2 if guided else 1)
        for tiled in (False, True):
            needed = max(sampling, decoding_bytes(vae, size, tiled))
            self._let_go(lambda needed=needed: self.room < needed)
            if self.room >= needed:
                return tiled
        height, width = (scale(vae) * side for side in size)
        raise UserError(
            f"A picture of {width}×{height} takes about {needed / 2**30:.1f} GB of memory beside the model, "
            f"and {self.room / 2**30:.1f} GB are free: choose a smaller size, or close other programs."
        )

    @property
    def room(self) -> int:
        """Bytes that can still be taken."""
        return max(0, available(self.device) - SPARE)

    def twice(self, work: Callable[[], Result], called: str) -> Result:
        """Do a piece of work; where memory runs out, once more without what it does not use.

        Raises UserError, beginning with `called`, where it does not suffice for that.
        """
        self._in_use.clear()
        for _ in range(2):
            try:
                return work()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Only now: the error held on to what the work had in its hands.
            self._let_go(lambda: True)
            give_back(self.device)
        raise UserError(f"{called}: there is not enough memory; try a smaller picture, or another model.")

    def _let_go(self, needed: Callable[[], bool]) -> None:
        for key in list(self._kept):
            if not needed():
                return
            if key not in self._in_use:
                del self._kept[key]
                give_back(self.device)
