"""How a random network passes signals on: Gaussian moments and gains."""
