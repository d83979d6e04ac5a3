"""The arguments of every command; imports neither jax nor anything else that is slow."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NoReturn

from actlab import __version__

EPILOG = """examples:
  actlab list --family gated --where "slope.lower > -0.2"
  actlab certify gelu --out gelu.json
  actlab check gelu.json
  actlab evaluate swish --against relu,tanh
  actlab evaluate my_functions.py:bump mypackage.layers:gate --systems uncertainty --seeds 10
  actlab run configs/outliers/friedman1.toml seeds=5 --out runs/friedman1
  actlab report runs/evaluate-swish

exit status: 0 done; 1 a claim or an expected number was missed, a certificate rejected, or an evaluation failed
(the others are kept); 2 bad input; 75 told to stop by SIGTERM and saved, or another process of the run was lost
(run it again with --resume); 130 interrupted (run it again to resume)
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser; each command names the module of `actlab.cli` that carries it out."""
    parser = _Parser(
        prog="actlab",
        description="The reference laboratory for activation functions: facts, systems that rely on them, evidence.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"actlab {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for add in (_add_list, _add_certify, _add_check, _add_evaluate, _add_run, _add_report):
        add(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error is said; its subparsers do too."""

    def error(self, message: str) -> NoReturn:
        """Ends with status 2."""
        self.exit(2, f"actlab: {' '.join(message.split())}; see {self.prog} --help\n")


def _command(
    commands: argparse._SubParsersAction, name: str, module: str, text: str, epilog: str | None = None
) -> argparse.ArgumentParser:
    keep_lines = argparse.RawDescriptionHelpFormatter  # of the examples
    parser = commands.add_parser(name, help=text, description=text, epilog=epilog, formatter_class=keep_lines)
    parser.set_defaults(module=module)
    parser.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
    )
    return parser


def _add_list(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "list", "listing", "list the activations of the zoo with their facts")
    parser.add_argument("--family", metavar="F", help="only this family: rectifiers, sigmoids, gated, ...")
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        help='only those whose facts meet it: "slope.lower > 0", "smoothness >= 1 and range.upper <= 1", '
        '"monotone == strictly increasing"',
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


CERTIFY_EPILOG = """examples:
  actlab certify gelu
  actlab certify my_functions.py:bump --domain -4 4 --out bump.json
  actlab certify swish --tier fast --json
  actlab certify swish --audit                 what the code does in bfloat16, float16 and float32
  actlab certify swish --audit --exhaustive    every float32: minutes
"""
CHECK_EPILOG = """examples:
  actlab check gelu.json
  actlab check certificates/*.json

exit status: 0 all accepted; 1 one rejected, with the reason; 2 a file that is no certificate
"""


def _add_certify(commands: argparse._SubParsersAction) -> None:
    text = "prove range, slope, curvature, monotonicity and kinks of a function over every float32, or a domain"
    parser = _command(commands, "certify", "certifying", text, CERTIFY_EPILOG)
    parser.add_argument("activation", metavar="ACTIVATION", help="a name, module:function or path/to/file.py:function")
    parser.add_argument("--domain", nargs=2, type=float, metavar=("A", "B"), help="prove it on [A, B] only")
    parser.add_argument(
        "--order", type=int, choices=(0, 1, 2), default=2, help="0 the range, 1 slope too, 2 curvature (the default)"
    )
    parser.add_argument(
        "--tier",
        choices=("fast", "proved"),
        default="proved",
        help="ball arithmetic (proved, the default), or floats rounded outward that trust the C library to 8 units in "
        "the last place (fast)",
    )
    parser.add_argument("--out", type=Path, metavar="CERT.json", help="write the certificate")
    parser.add_argument(
        "--audit", action="store_true", help="also execute it in 16 bits and float32, and its derivative"
    )
    parser.add_argument("--exhaustive", action="store_true", help="audit every float32 instead of a million of them")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_check(commands: argparse._SubParsersAction) -> None:
    text = "verify certificates by the independent checker, which shares no code with the prover"
    parser = _command(commands, "check", "checking", text, CHECK_EPILOG)
    parser.add_argument("certificates", nargs="+", type=Path, metavar="CERT", help="files that `actlab certify` wrote")
    parser.add_argument(
        "--no-retrace", action="store_true", help="verify the program in the file, import nothing of it"
    )


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    text = "put activations through the systems, against baselines, and write the report"
    parser = _command(commands, "evaluate", "evaluating", text)
    parser.add_argument(
        "activations",
        nargs="+",
        metavar="ACTIVATION",
        help="a name of the zoo, module:function or path/to/file.py:function",
    )
    parser.add_argument(
        "--against", metavar="A,B", default="relu,gelu,tanh", help="baselines, comma-separated (default: %(default)s)"
    )
    parser.add_argument("--systems", metavar="S,T", help="only these systems, comma-separated (all where not given)")
    parser.add_argument(
        "--seeds", type=int, metavar="N", default=5, help="seeds of every evaluation (default: %(default)s)"
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        default=min(os.cpu_count() or 1, 4),
        help="systems evaluated at the same time, in threads and over all devices (default: one a core, at most 4)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the report goes (default: runs/evaluate-NAMES)")
    parser.add_argument(
        "--fresh", action="store_true", help="compute again what earlier runs have kept, in DIR or the cache"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of a table")


RUN_EPILOG = """examples:
  actlab run configs/digits/deep.toml --out runs/digits --resume
  actlab run configs/digits/deep.toml --out runs/digits --resume --coordinator host0:1234 --processes 2 --process-id 0
  srun actlab run configs/digits/deep.toml --out runs/digits --resume --distributed

exit status: 0 done; 1 a claim was missed; 2 bad input; 75 saved and stopped by SIGTERM, or a peer was lost: the same
command with --resume goes on; 134 the runtime of jax ended a process that hung on a lost peer: the same; 143 SIGTERM
while nothing was trained: the same
"""


def _add_run(commands: argparse._SubParsersAction) -> None:
    text = "run an experiment from its configuration and decide its claims"
    parser = _command(commands, "run", "running", text, RUN_EPILOG)
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a TOML file that names its experiment")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="changes to the configuration, dotted keys")
    parser.add_argument("--out", type=Path, metavar="DIR", help="run directory: config, metrics, checkpoints, report")
    parser.add_argument("--resume", action="store_true", help="continue the run in DIR, or begin it where DIR has none")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="write a trace and a device-memory profile there")
    many = parser.add_argument_group("several processes", "one program on the devices of all; --out is on shared disk")
    many.add_argument("--coordinator", metavar="HOST:PORT", help="of the first process, started alike everywhere")
    many.add_argument("--processes", type=int, metavar="N", help="how many there are")
    many.add_argument("--process-id", type=int, metavar="I", help="which one this is, from 0")
    many.add_argument("--distributed", action="store_true", help="all three from Slurm, the TPU pod or Open MPI")


def _add_report(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "report", "reporting", "write the HTML report of finished runs again")
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="directories with a results.json")
