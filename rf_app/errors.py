"""The exceptions a person may see: their text goes to the page, the API and the command line as it is."""


class UserError(ValueError):
    """Something a user can put right: names the bad value and what would be accepted."""


class HeldBack(UserError):
    """The model's own safety checker does not let a picture through."""


class Cancelled(UserError):
    """The user stopped the request, or a newer one took its place."""


OUT_OF_MEMORY = ("not enough memory", "can't allocate memory", "out of memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it is what Python, or PyTorch on any device, raises where memory has run out."""
    said = isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY)
    return said or isinstance(error, MemoryError)
