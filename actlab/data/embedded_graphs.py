"""Graphs whose nodes are to be classified, without a file: the karate club, and digits joined to their neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from actlab.data.citation import CITATIONS, NodeClassification, load_citation
from actlab.data.embedded import digits
from actlab.data.npz import DataError

EMBEDDED = ("karate", "digits")
"""The sets that need no file."""

# Each member's friends of higher number.
FRIENDS = {
    0: (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31),
    1: (2, 3, 7, 13, 17, 19, 21, 30),
    2: (3, 7, 8, 9, 13, 27, 28, 32),
    3: (7, 12, 13),
    4: (6, 10),
    5: (6, 10, 16),
    6: (16,),
    8: (30, 32, 33),
    9: (33,),
    13: (33,),
    14: (32, 33),
    15: (32, 33),
    18: (32, 33),
    19: (33,),
    20: (32, 33),
    22: (32, 33),
    23: (25, 27, 29, 32, 33),
    24: (25, 27, 31),
    25: (31,),
    26: (29, 33),
    27: (33,),
    28: (31, 33),
    29: (32, 33),
    30: (32, 33),
    31: (32, 33),
    32: (33,),
}
OFFICERS = (9, 14, 15, 18, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33)
"""Members who went with the officers when the club split."""


def karate_club() -> NodeClassification:
    """34 members of a karate club, 78 friendships; which of two clubs each joined after the split.

    Features are the members themselves, one-hot. The two leaders' labels are known, as in Kipf & Welling 2017; 12
    members decide when to stop, 20 are reported.

    Source: Zachary 1977, Journal of Anthropological Research 33(4).
    """
    links = np.array([(i, j) for i, others in FRIENDS.items() for j in others])
    labels = np.isin(np.arange(34), OFFICERS).astype(np.int64)
    own = np.arange(34)
    train = np.array([0, 33])
    others = np.random.default_rng(0).permutation(np.setdiff1d(own, train))
    features = (own, own, np.ones(34))
    return NodeClassification(
        "karate", links, 34, features, 34, labels, train, np.sort(others[:12]), np.sort(others[12:])
    )


def digits_graph(neighbours: int = 8, count: int = 1797, labels_per_class: int = 10) -> NodeClassification:
    """Handwritten digits, each linked to those nearest to it; features are the 64 pixels.

    Args:
        neighbours: of each digit, by Euclidean distance; a link in either direction counts.
        count: of digits, the first so many; at least 200.
        labels_per_class: known ones, drawn as the validation fifth and the test nodes are: always the same.

    Raises:
        DataError: sizes that make no such graph.

    Source: scikit-learn's digits (Alpaydin & Kaynak 1998).
    """
    if not 200 <= count <= 1797 or not 1 <= neighbours < count or not 1 <= labels_per_class <= 14:
        raise DataError(
            f"digits_graph: count = {count} must be 200 to 1797, neighbours = {neighbours} positive and below it, "
            f"labels_per_class = {labels_per_class} 1 to 14"
        )
    from sklearn.neighbors import kneighbors_graph

    data = digits()
    x, y = data.X[:count], data.y[:count].astype(np.int64)
    links = np.stack(kneighbors_graph(x, neighbours).nonzero(), 1)
    links = np.unique(np.sort(links, axis=1), axis=0)
    order = np.random.default_rng(0).permutation(count)
    train = np.concatenate([order[y[order] == c][:labels_per_class] for c in range(10)])
    rest = order[~np.isin(order, train)]
    parts = (np.sort(part) for part in (train, rest[: count // 5], rest[count // 5 :]))
    rows, columns = np.nonzero(x)
    return NodeClassification("digits", links, count, (rows, columns, x[rows, columns]), 64, y, *parts)


def load_graph(name: str, folder: str | Path) -> NodeClassification:
    """An embedded set, or a citation graph of a folder.

    Raises:
        DataError: no such set, or a file that is missing or damaged.
    """
    if name in EMBEDDED:
        return karate_club() if name == "karate" else digits_graph()
    if name not in CITATIONS:
        raise DataError(f"no graph {name!r}; embedded: {', '.join(EMBEDDED)}; from files: {', '.join(CITATIONS)}")
    return load_citation(folder, name)


def largest_component(data: NodeClassification) -> tuple[np.ndarray, np.ndarray]:
    """The nodes of the largest connected part, ascending, and its links between their new numbers, from 0."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    matrix = coo_matrix((np.ones(len(data.links)), data.links.T), shape=(data.nodes, data.nodes))
    labels = connected_components(matrix, directed=False)[1]
    inside = labels == np.bincount(labels).argmax()
    return np.flatnonzero(inside), (np.cumsum(inside) - 1)[data.links[inside[data.links[:, 0]]]]
