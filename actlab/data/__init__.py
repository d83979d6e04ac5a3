"""Embedded data sets, and loaders for files that the user has."""

from actlab.data.images import Images, load_cifar10, load_fashion_mnist, load_images, load_mnist
from actlab.data.npz import DataError
from actlab.data.uci import load_uci

__all__ = ["DataError", "Images", "load_cifar10", "load_fashion_mnist", "load_images", "load_mnist", "load_uci"]
