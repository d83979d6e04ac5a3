"""Embedded data sets, and loaders for files that the user has."""
