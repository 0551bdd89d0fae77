"""What a model did not understand of a prompt, and by topic what it knows."""

from dataclasses import dataclass

from rf_app.actions.application import Application
from rf_app.pipeline.worker import Drawn
from rf_app.registry.vocabulary import split_words, vocabulary


@dataclass(frozen=True)
class Hint:
    """Words of the prompt that the model has not learned, and by topic what it knows."""

    words: tuple[str, ...]
    topics: dict[str, tuple[str, ...]]


def hint(app: Application, drawn: Drawn, typing: bool = False) -> Hint | None:
    """The hint for a picture, if there is need of one.

    typing: the last word may be unfinished, so it gives no hint while a known word begins with it.
    """
    words = drawn.unknown_words
    if not words:
        return None
    known = vocabulary(app.registry, drawn.settings.model)
    last = split_words(drawn.settings.prompt)[-1]
    if typing and any(word.startswith(last) for word in known.words):
        words = tuple(word for word in words if word != last)
    return Hint(words, known.topics) if words else None
