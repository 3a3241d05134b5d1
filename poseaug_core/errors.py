"""The one error type that users are meant to read."""


class UserError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence (two at most) that names the value, the limit it breaks and the
    remedy, fit to be shown as it is: the command line prints it and exits with code 2, the studio
    shows it in a banner. Raise it at the border (readers, configuration, files); inside, plain
    assertions and exceptions mean a bug.
    """


class Cancelled(Exception):
    """The user stopped a long piece of work; nothing is left half-done."""
