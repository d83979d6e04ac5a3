"""Embedded data sets, and loaders for files that the user has."""

from actlab.data.uci import DataError, load_uci

__all__ = ["DataError", "load_uci"]
