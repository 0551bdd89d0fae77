"""Alternatives in a prompt: "{red|blue} boat", "{2$$a moon|a cloud|a bird}", "__animal__".

The seed chooses, so that a picture can be made again. Seeds that follow each other go through the choices in
turn, the first group the quickest: as many pictures as there are combinations show each of them once. Of
"{2$$…}" two are taken by lot, and joined by ", " or by what stands before a second "$$". "__animal__" is a
line of `wildcards/animal.txt` in the user's folder. Braces without "|" are what they are.
"""

import random
import re
from collections.abc import Callable
from math import prod

from rf_app.errors import UserError
from rf_app.settings.home import home
from rf_app.settings.picture import MAX_PROMPT
from rf_app.settings.text import read_text

GROUP = re.compile(r"\{([^{}|]*\|[^{}]*)\}")
LIST = re.compile(r"__([A-Za-z0-9][A-Za-z0-9-]*(?:_[A-Za-z0-9-]+)*)__")
SEVERAL = re.compile(r"(\d{1,3})\$\$(?:([^$|]*)\$\$)?")
MAX_CHARACTERS = 10_000  # of a prompt on its way
MAX_CHOICES = 100  # in a prompt, those that others bring along among them


def expanded(prompt: str, seed: int) -> str:
    """The prompt that a seed makes of one with alternatives; any other is given back, and so is a longer one
    than `MAX_PROMPT`, which nothing draws.

    Raises UserError for a list that is not there, and for a prompt that grows beyond all bounds.
    """
    if len(prompt) > MAX_PROMPT:
        return prompt
    rest = seed

    def choose(options: list[str]) -> str:
        nonlocal rest
        rest, index = divmod(rest, len(options))
        return options[index]

    for _ in range(MAX_CHOICES + 1):
        if found := LIST.search(prompt):
            chosen = choose(_lines(found[1]))
        elif found := GROUP.search(prompt):
            chosen = _chosen(found[1], choose, seed)
        else:
            return prompt
        prompt = prompt[: found.start()] + chosen + prompt[found.end() :]
        if len(prompt) > MAX_CHARACTERS:
            break
    raise UserError(f"The alternatives in {prompt!r:.80} never end, or make a prompt that is too long.")


def longest(prompt: str) -> str:
    """The prompt with the longest of each group alone, which takes the most room; all of "{2$$…}".

    What goes becomes spaces, so that each letter stays where it was. Lists are left as they are.
    """

    def alone(found: re.Match[str]) -> str:
        several, options = SEVERAL.match(found[1]), found[1].split("|")
        kept = found[1][several.end() :].replace("|", " ") if several else max(options, key=len)
        before = several.end() if several else len("|".join([*options[: options.index(kept)], ""]))
        return (" " * (1 + before) + kept).ljust(len(found[0]))

    while GROUP.search(prompt):
        prompt = GROUP.sub(alone, prompt)
    return prompt


def choices(prompt: str) -> int:
    """How many seeds that follow each other show each combination once; 1 without alternatives, and where
    that cannot be told: with groups within groups, lists, and some of several.
    """
    groups = GROUP.findall(prompt)
    if LIST.search(prompt) or any(map(SEVERAL.match, groups)) or "{" in GROUP.sub("", prompt):
        return 1
    return prod(len(group.split("|")) for group in groups)


def _chosen(group: str, choose: Callable[[list[str]], str], seed: int) -> str:
    several = SEVERAL.match(group)
    if not several:
        return choose([each.strip() for each in group.split("|")])
    options = [each.strip() for each in group[several.end() :].split("|")]
    count = min(int(several[1]), len(options))
    joined = ", " if several[2] is None else several[2]
    return joined.join(random.Random(f"{seed} {group}").sample(options, count))


def _lines(name: str) -> list[str]:
    folder = home() / "wildcards"
    known = {path.stem: path for path in sorted(folder.glob("*.txt"))}
    if name not in known:
        here = f"there are {', '.join(known)}" if known else "there are none yet"
        raise UserError(
            f"There is no list __{name}__; {here}. A list is wildcards/{name}.txt, a choice a line."
        )
    lines = [line.strip() for line in read_text(known[name]).splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise UserError(f"The list __{name}__ is empty: write a choice on each line of wildcards/{name}.txt.")
    return found
