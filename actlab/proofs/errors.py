"""What a proof can fail by: each an error of its own type, whose message says where and what to do."""


class UnsupportedPrimitiveError(TypeError):
    """The function uses an operation that no interval rule is known for; names it and the place in the user's code."""


class UndefinedError(ValueError):
    """The function is not a real number somewhere in the domain (the logarithm of a negative number, say)."""


class ContradictionError(ValueError):
    """A declared fact contradicts what is proved."""
