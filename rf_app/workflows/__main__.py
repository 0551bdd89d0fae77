"""Actions as commands, which is how jobs run them too.

    python -m rf_app.workflows import Lykon/dreamshaper-7
    python -m rf_app.workflows import ~/Downloads/dreamshaper.safetensors --id dreamshaper
    python -m rf_app.workflows merge --model pocket-sd --lora woodcut --output woodcut-sd

`--events FOLDER`: how far it is goes into that folder's events.jsonl. Ended and begun anew, it goes on.
"""

import argparse
from pathlib import Path

import tyro

from rf_app.errors import UserError
from rf_app.jobs import events
from rf_app.plugins import deltas
from rf_app.registry.folders import Registry
from rf_app.workflows import importing, merging

ACTIONS = {
    importing.KIND: (importing.Options, importing.import_model),
    merging.KIND: (deltas.Options, merging.merge_model),
}


def main() -> None:
    """Do it, and say where the model is; errors as one line."""
    parser = argparse.ArgumentParser("python -m rf_app.workflows", add_help=False, allow_abbrev=False)
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--events", type=Path)
    chosen, rest = parser.parse_known_args()
    kind, action = ACTIONS[chosen.action]
    options = tyro.cli(kind, args=rest, prog=f"{parser.prog} {chosen.action}", description=action.__doc__)
    try:
        for news in action(Registry.default(options.models), options):
            if isinstance(news, Path):
                print(f"published {news}")
            elif news and chosen.events:
                told = {"step": news.done, "of": news.of, "text": news.text}
                events.append(chosen.events, told | {"seconds_left": news.seconds_left})
    except (UserError, OSError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
