"""Graphs whose nodes are to be classified: the citation graphs of Planetoid, from a folder of the user's.

Each set is `<name>.npz` with CSR features of value 1 (`indptr`, `indices`, `n_features`), `edges` (links, 2), each
undirected link once, `labels` (-1 where a node has none) and the public split `train`, `val`, `test`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from actlab.data.npz import DataError, read_arrays

CITATIONS = ("cora", "citeseer", "pubmed")
"""The sets of Planetoid."""

ARRAYS: tuple[str, ...] = ("indptr", "indices", "n_features", "edges", "labels", "train", "val", "test")


@dataclass(frozen=True)
class NodeClassification:
    """A graph with features and labels of its nodes.

    Attributes:
        name: for tables.
        links: int (links, 2), each undirected link once, no self-loop.
        nodes: how many.
        features: (rows, columns, values) of the entries that are not 0, sorted by row: int (entries,) twice and float64
            (entries,).
        feature_count: columns of the features.
        labels: int (nodes,), classes from 0; -1 where a node has none.
        train: int (n,), the nodes to learn from.
        val: int (n,), those to choose by.
        test: int (n,), those to report.
    """

    name: str
    links: Int[np.ndarray, "links 2"]
    nodes: int
    features: tuple[Int[np.ndarray, " entries"], Int[np.ndarray, " entries"], Float[np.ndarray, " entries"]]
    feature_count: int
    labels: Int[np.ndarray, " nodes"]
    train: Int[np.ndarray, " train"]
    val: Int[np.ndarray, " val"]
    test: Int[np.ndarray, " test"]


def load_citation(folder: str | Path, name: str) -> NodeClassification:
    """Reads one set.

    Raises:
        DataError: no such set, no such file, not a readable npz without pickles, or arrays that are not such a graph.
    """
    if name not in CITATIONS:
        raise DataError(f"no citation graph {name!r}; known: {', '.join(CITATIONS)}")
    path = Path(folder) / f"{name}.npz"
    if not path.is_file():
        raise DataError(f"{path} is missing; it must hold the arrays {', '.join(ARRAYS)}")
    found = dict(zip(ARRAYS, read_arrays(path, ARRAYS, ", ".join(ARRAYS), "save it with np.savez"), strict=True))
    return _checked(path, name, found)


def _checked(path: Path, name: str, found: dict[str, np.ndarray]) -> NodeClassification:
    for key, values in found.items():
        if not np.issubdtype(values.dtype, np.integer):
            raise DataError(f"{path}: {key} must hold integers, got {values.dtype}")
        dimensions = {"edges": 2, "n_features": 0}.get(key, 1)
        if values.ndim != dimensions:
            raise DataError(f"{path}: {key} must have {dimensions} dimensions, got shape {values.shape}")
    indptr, indices, edges, labels = (found[k].astype(np.int64) for k in ("indptr", "indices", "edges", "labels"))
    nodes, features = len(labels), int(found["n_features"])
    if edges.shape[1:] != (2,):
        raise DataError(f"{path}: edges must have shape (links, 2), got {edges.shape}")
    if len(indptr) != nodes + 1 or indptr[0] != 0 or indptr[-1] != len(indices) or np.any(np.diff(indptr) < 0):
        raise DataError(f"{path}: indptr must rise from 0 to {len(indices)}, the entries, over {nodes + 1} values")
    limits = {"indices": features, "edges": nodes, "train": nodes, "val": nodes, "test": nodes}
    for key, limit in limits.items():
        values = found[key]
        if values.size and not 0 <= values.min() <= values.max() < limit:
            raise DataError(f"{path}: {key} reach from {values.min()} to {values.max()}, outside of [0, {limit})")
    if np.any(edges[:, 0] == edges[:, 1]):
        raise DataError(f"{path}: edges hold self-loops; leave them out")
    parts = np.concatenate([found[k] for k in ("train", "val", "test")])
    if len(np.unique(parts)) != len(parts):
        raise DataError(f"{path}: train, val and test share nodes")
    if labels.min(initial=0) < -1 or labels[found["train"]].min(initial=0) < 0:
        raise DataError(f"{path}: labels must be classes from 0, or -1 where there is none, and train nodes need one")
    rows = np.repeat(np.arange(nodes), np.diff(indptr))
    split = (found[k].astype(np.int64) for k in ("train", "val", "test"))
    return NodeClassification(name, edges, nodes, (rows, indices, np.ones(len(rows))), features, labels, *split)
