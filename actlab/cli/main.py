"""Entry point: parses, dispatches, and turns errors into one line and an exit status."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Sequence

from actlab.cli.parser import build_parser

# "module:class" of the errors that mean bad input; imported only once something has been raised.
BAD_INPUT = (
    "actlab.activations:FactError",
    "actlab.activations:ActivationLookupError",
    "actlab.activations:NotElementwiseError",
    "actlab.bounds:UnsupportedLayerError",
    "actlab.cli.where:WhereError",
    "actlab.config:ConfigError",
    "actlab.data:DataError",
    "actlab.data.sparse:GraphError",
    "actlab.dynamics:CycleError",
    "actlab.dynamics:DelayError",
    "actlab.proofs:ContradictionError",
    "actlab.proofs:UndefinedError",
    "actlab.proofs:UnsupportedPrimitiveError",
    "actlab.proofs.checker:Malformed",
    "actlab.report:ResultsError",
    "actlab.signal:QuadratureError",
    "actlab.systems.circuits:CircuitError",
    "actlab.systems.continual:ContinualError",
    "actlab.systems.distillation:DistillationError",
    "actlab.systems.flows:EventError",
    "actlab.systems.saliency:SaliencyError",
    "actlab.systems.spiking:SpikingError",
    "actlab.systems.tomography:GeometryError",
    "actlab.training:CheckpointError",
    "actlab.training:NotFiniteError",
    "actlab.training:ProcessesError",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status.

    Args:
        argv: the arguments after the program's name; those of the process where None.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        return importlib.import_module(f"actlab.cli.{arguments.module}").main(arguments)
    except KeyboardInterrupt:
        print("\nactlab: interrupted; the same command continues where it stopped", file=sys.stderr)
        if any(t.name.startswith("evaluation") for t in threading.enumerate()):
            sys.stderr.flush()
            os._exit(130)  # what is under way would be waited for; what is finished is kept already
        return 130
    except BrokenPipeError:  # the reader of our output is gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if arguments.debug or not _is_bad_input(error):
            raise
        print(f"actlab: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _is_bad_input(error: Exception) -> bool:
    if isinstance(error, OSError):
        return True
    # A class of a module that is not loaded is not the error's, and some modules take seconds to load.
    kinds = (name.partition(":")[::2] for name in BAD_INPUT)
    return isinstance(error, tuple(getattr(sys.modules[m], kind) for m, kind in kinds if m in sys.modules))
