"""The error of this system."""


class ContinualError(ValueError):
    """A stream, method or run of tasks that cannot be; the message names the argument, its value, what is allowed."""
