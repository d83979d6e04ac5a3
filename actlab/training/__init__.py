"""The engine: pure training runs, ensembles of them, devices and checkpoints."""
