"""actlab: the reference laboratory for activation functions, in JAX/Flax.

Importing this package imports nothing else; take what you need from its parts, `actlab.activations` first.
"""

__version__ = "0.1.0"
