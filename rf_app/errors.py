"""The exceptions a person may see: their text goes to the page, the API and the command line as it is."""


class UserError(ValueError):
    """Something a user can put right: names the bad value and what would be accepted."""


class HeldBack(UserError):
    """The model's own safety checker does not let a picture through."""


class Cancelled(UserError):
    """The user stopped the request, or a newer one took its place."""
