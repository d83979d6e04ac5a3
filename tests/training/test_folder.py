import json
import os
import socket
from contextlib import closing

import pytest

from actlab.training import Lock, RunFolderError, run_folder

DEAD = json.dumps({"process": 2**22, "host": socket.gethostname()})  # no process has this number


def test_one_holder_at_a_time(tmp_path) -> None:
    with closing(Lock(tmp_path)):
        with pytest.raises(RunFolderError, match=rf"in use by process {os.getpid()} on .*; wait for it"):
            Lock(tmp_path)
    with closing(Lock(tmp_path)):
        pass


@pytest.mark.parametrize("left", [DEAD, "", '{"proc', "[]", "3"])
def test_a_dead_process_of_this_host_holds_nothing(tmp_path, left) -> None:
    (tmp_path / ".lock").write_text(left)
    with closing(Lock(tmp_path)):
        assert json.loads((tmp_path / ".lock").read_text())["process"] == os.getpid()


def test_another_hosts_record_is_respected(tmp_path) -> None:
    (tmp_path / ".lock").write_text('{"process": 7, "host": "elsewhere"}')
    with pytest.raises(RunFolderError, match=r"process 7 on elsewhere.*if that process is gone, delete .*\.lock"):
        Lock(tmp_path)


def test_a_file_system_without_locks_goes_by_the_record(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("actlab.training.folder._exclusive", lambda file: None)
    with closing(Lock(tmp_path)), pytest.raises(RunFolderError, match="in use"):
        Lock(tmp_path)
    (tmp_path / ".lock").write_text(DEAD)
    Lock(tmp_path).close()


@pytest.mark.parametrize("change", ["delete", "replace"])
def test_a_lock_that_is_gone_is_noticed(tmp_path, change) -> None:
    with closing(Lock(tmp_path)) as lock:
        lock.check()
        if change == "replace":
            (tmp_path / "new").touch()
            (tmp_path / "new").replace(tmp_path / ".lock")
        else:
            (tmp_path / ".lock").unlink()
        with pytest.raises(RunFolderError, match="deleted or replaced"):
            lock.check()


def test_folders_that_cannot_be_used(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot be written"):
        run_folder(tmp_path / "file" / "run")
    with pytest.raises(RunFolderError, match="cannot be locked"):
        Lock(tmp_path / "nowhere")
    run_folder(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
