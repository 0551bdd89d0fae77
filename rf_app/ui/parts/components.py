"""What Gradio keeps of a session's components."""

from gradio import Blocks
from gradio.blocks import Block, BlocksConfig


class Components(dict[int, Block]):
    """Components by their number, of which Gradio gives each session a copy.

    Each time a component is updated without a value, as by `gr.skip`, Gradio puts a new one in its place,
    with a number of its own; under that it keeps it once more, with the next value. So a session would grow
    by every picture that is drawn in it. Here it has the number of the place where it is put.
    """

    def __setitem__(self, number: int, component: Block) -> None:
        component._id = number
        super().__setitem__(number, component)


class Config(BlocksConfig):
    """The page's components and events, of which Gradio gives each session a copy.

    With it Gradio would describe every component of that session, two megabytes, and anew whenever one is
    updated: for links to a form as it is, which there are none of (`rf_app.ui.guard.UNUSED`).
    """

    def __init__(self, page: Blocks) -> None:
        super().__init__(page)
        self.blocks = Components()

    def __copy__(self) -> BlocksConfig:
        own = super().__copy__()
        own.config_for_block = lambda *_: {}
        return own
