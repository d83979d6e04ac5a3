"""Metric writers: what is written is what is read back."""

import builtins

import numpy as np
import pytest

from actlab.training import JsonLines, TensorBoard, Writer, read_metrics

LOSS = np.array([[0.1, 2.0], [1e-30, 3.0]], np.float32)


def test_json_lines_round_trip_exactly_and_resume(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = JsonLines(path)
    first.write(0, {"loss": LOSS})
    first.write(2, {"loss": LOSS})
    first.close()
    again = JsonLines(path, from_step=3)
    again.write(3, {"loss": LOSS[:1]})
    again.close()
    np.testing.assert_array_equal(read_metrics(path)["loss"], np.concatenate([LOSS, LOSS[:1], LOSS[:1]]))


def test_nothing_written_is_nothing_read(tmp_path) -> None:
    assert read_metrics(tmp_path / "absent.jsonl") == {}


def test_tensorboard_files_hold_the_scalars(tmp_path) -> None:
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401 (the format below is its)

    board = TensorBoard(tmp_path)
    assert isinstance(board, Writer)
    board.write(5, {"loss": LOSS, "lr": np.array([0.5, 0.25])})
    board.close()
    raw = next(tmp_path.iterdir()).read_bytes()
    scalars = {}
    while raw:  # length (8 bytes), its checksum (4), the event, its checksum (4)
        size = int.from_bytes(raw[:8], "little")
        event = Event.FromString(raw[12 : 12 + size])
        scalars |= {(v.tag, event.step): v.simple_value for v in event.summary.value}
        raw = raw[16 + size :]
    assert scalars[("loss/1", 6)] == 3.0
    assert scalars[("lr", 6)] == 0.25
    assert len(scalars) == 6


def test_without_tensorboardx_the_remedy_is_named(tmp_path, monkeypatch) -> None:
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "tensorboardX":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'actlab\[tensorboard\]'"):
        TensorBoard(tmp_path)
