"""The embedded graphs: published counts, splits, refusals."""

import numpy as np
import pytest

from actlab.data import DataError
from actlab.data.embedded_graphs import digits_graph, karate_club, largest_component, load_graph


def test_karate_club_has_its_published_counts() -> None:
    data = karate_club()
    assert (data.nodes, len(data.links), len(np.unique(data.links, axis=0))) == (34, 78, 78)
    degrees = np.bincount(data.links.ravel(), minlength=34)
    assert (degrees[0], degrees[33], degrees[32], degrees.min()) == (16, 17, 12, 1)
    assert np.bincount(data.labels).tolist() == [17, 17]
    assert len(largest_component(data)[0]) == 34


def test_digits_graph_is_homophilous_and_its_split_is_fixed() -> None:
    data, again = digits_graph(count=400), digits_graph(count=400)
    np.testing.assert_array_equal(data.test, again.test)
    parts = np.concatenate([data.train, data.val, data.test])
    assert len(parts) == len(np.unique(parts)) == 400
    assert np.bincount(data.labels[data.train]).tolist() == [10] * 10
    assert np.mean(data.labels[data.links[:, 0]] == data.labels[data.links[:, 1]]) > 0.9
    nodes, links = largest_component(data)
    assert links.max() == len(nodes) - 1
    np.testing.assert_array_equal(np.unique(links), np.arange(len(nodes)))


def test_unknown_and_impossible_graphs_are_refused() -> None:
    with pytest.raises(DataError, match="embedded: karate, digits"):
        load_graph("pubmet", "nowhere")
    with pytest.raises(DataError, match="count = 100"):
        digits_graph(count=100)
