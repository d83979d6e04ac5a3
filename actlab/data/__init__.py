"""Embedded data sets, and loaders for files that the user has."""

from actlab.data.events import load_nmnist, load_nmnist_folder, load_spoken_spikes
from actlab.data.images import Images, load_cifar10, load_fashion_mnist, load_images, load_mnist
from actlab.data.npz import DataError
from actlab.data.scans import LodopabPairs, ScanFrames, Slice, load_dicom_slice, load_lodopab, load_scan
from actlab.data.uci import load_uci

__all__ = [
    "DataError",
    "Images",
    "LodopabPairs",
    "ScanFrames",
    "Slice",
    "load_cifar10",
    "load_dicom_slice",
    "load_fashion_mnist",
    "load_images",
    "load_lodopab",
    "load_mnist",
    "load_nmnist",
    "load_nmnist_folder",
    "load_scan",
    "load_spoken_spikes",
    "load_uci",
]
