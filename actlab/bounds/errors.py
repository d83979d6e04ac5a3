"""What cannot be bounded, said by name."""


class UnsupportedLayerError(ValueError):
    """A model contains an operation that cannot be bounded soundly; names it, its place, and what would do."""
