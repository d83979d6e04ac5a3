"""The command line: `actlab list | certify | check | evaluate | run | report`.

Exit status: 0 done, 1 a claim or an expected number was missed, a certificate rejected or an evaluation failed,
2 bad input (one clear line, no traceback; `--debug` shows it), 75 stopped by SIGTERM or a lost peer
(the same command with --resume goes on), 130 interrupted (the same command resumes).
"""

from actlab.cli.main import main

__all__ = ["main"]
