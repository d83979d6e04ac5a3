"""Attention: a fixed gate in softmax's place, whose skipping of whole blocks is a theorem."""

from actlab.systems.attention.attention import gated_attention, visited_blocks
from actlab.systems.attention.block_bounds import score_bounds
from actlab.systems.attention.dense import dense_attention
from actlab.systems.attention.gate import Gate, gate

__all__ = ["Gate", "dense_attention", "gate", "gated_attention", "score_bounds", "visited_blocks"]
