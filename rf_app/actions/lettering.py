"""Words on a picture: a font that has their letters, and lines of a width."""

from contextlib import suppress

from PIL import ImageFont

OTHER_FONTS = ("NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "DejaVuSans.ttf")
NO_LETTER = "\uffff"
GAP = 10  # pixels


def best_font(size: int, words: str) -> ImageFont.FreeTypeFont:
    """Pillow's own, which has little more than English, or what the computer has that lacks fewer letters."""
    fonts = [ImageFont.load_default(size)]
    for name in OTHER_FONTS:
        with suppress(OSError):
            fonts.append(ImageFont.truetype(name, size))
    return min(fonts, key=lambda font: len(missing(font, words)))


def missing(font: ImageFont.FreeTypeFont, words: str) -> set[str]:
    """The letters that a font draws as it draws what is no letter."""
    none = bytes(font.getmask(NO_LETTER))
    return {letter for letter in set(words) if bytes(font.getmask(letter)) == none}


def wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The text in at most four lines of a width in pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > 4:
        lines = [*lines[:3], lines[3] + " …"]
    return [_within(line, font, width) for line in lines]


def _within(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The line, cut where it is a single word without an end; of a width that has no room an ellipsis."""
    while font.getlength(line) > width and line != "…":
        line = line[: (len(line) - 1) * 3 // 4] + "…"
    return line


def widest(lines: list[str], font: ImageFont.FreeTypeFont) -> int:
    """The pixels that the longest of the lines takes."""
    return round(max(font.getlength(line) for line in lines))


def tallest(texts: list[list[str]], font: ImageFont.FreeTypeFont) -> int:
    """Of the tallest of some wrapped texts, with a gap below; nothing where there is no text."""
    lines = max(len(text) if text[0] else 0 for text in texts)
    return lines * (round(font.size * 1.2) + 4) + 2 * GAP if lines else 0
