"""Experiments: one file each; a configuration in configs/ names it, `actlab run` carries it out."""
