"""Flax NNX modules that take an Activation."""
