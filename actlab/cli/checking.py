"""`actlab check`: certificates before the independent checker."""

from __future__ import annotations

import argparse

from actlab.proofs.checker import Malformed, check


def main(arguments: argparse.Namespace) -> int:
    """Prints one line for each certificate; 1 if any is rejected.

    Raises:
        Malformed: a file that is no certificate.
        OSError: a file that cannot be read.
    """
    verdicts = []
    for path in arguments.certificates:
        try:
            verdict = check(path.read_text(), retrace=not arguments.no_retrace)
        except (Malformed, UnicodeDecodeError) as error:
            raise Malformed(f"{path}: {error}") from error
        print(verdict, flush=True)
        verdicts.append(verdict)
    return 0 if all(verdicts) else 1
