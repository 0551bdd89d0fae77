"""What Gradio keeps of a session's components."""

from gradio.blocks import Block


class Components(dict[int, Block]):
    """Components by their number, of which Gradio gives each session a copy.

    Each time a component is updated without a value, as by `gr.skip`, Gradio puts a new one in its place,
    with a number of its own; under that it keeps it once more, with the next value. So a session would grow
    by every picture that is drawn in it. Here it has the number of the place where it is put.
    """

    def __setitem__(self, number: int, component: Block) -> None:
        component._id = number
        super().__setitem__(number, component)
