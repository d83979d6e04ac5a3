"""The launch scripts, dry: with stand-ins for srun, scontrol and gcloud that record what they are asked."""

import os
import subprocess
from pathlib import Path

import pytest

from actlab.cli.parser import build_parser

ROOT = Path(__file__).parents[2]


def dry(folder: Path, script: str, arguments: list[str], statuses: str) -> tuple[int, list[list[str]]]:
    """Runs a script whose commands end with one status after another; its own status, and their arguments."""
    log, queue = folder / "log", folder / "statuses"
    queue.write_text(statuses)
    for name in ("srun", "scontrol", "gcloud"):
        stand_in = folder / name
        stand_in.write_text(
            f'#!/bin/bash\nprintf "%s\\x1f" {name} "$@" >>{log}\necho >>{log}\n[ {name} = scontrol ] && exit 0\n'
            f'status=$(head -1 {queue})\nsed -i 1d {queue}\nexit "$status"\n'
        )
        stand_in.chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "42", "PAUSE": "0", "ATTEMPTS": "3"}
    done = subprocess.run(["bash", ROOT / "launch" / script, *arguments], env=env, capture_output=True, timeout=60)
    return done.returncode, [line.split("\x1f")[:-1] for line in log.read_text().splitlines()]


def asked(parsed) -> tuple:
    return parsed.distributed, parsed.resume, parsed.out, parsed.overrides


@pytest.mark.parametrize("status", [0, 1, 2, 75, 134, 143])
def test_slurm_queues_again_what_can_be_resumed(tmp_path, status) -> None:
    ended, calls = dry(tmp_path, "slurm.sbatch", ["configs/digits/deep.toml", "/runs/a b", "seeds=8"], f"{status}\n")
    assert ended == status
    assert calls[0][:3] == ["srun", "--kill-on-bad-exit=1", "actlab"]
    parsed = build_parser().parse_args(calls[0][3:])
    assert asked(parsed) == (True, True, Path("/runs/a b"), ["seeds=8"])
    assert (ROOT / parsed.config).is_file()
    assert calls[1:] == ([["scontrol", "requeue", "42"]] if status > 2 else [])


def test_the_pod_is_started_until_the_run_ends(tmp_path) -> None:
    arguments = ["slice", "us-a", "configs/digits/deep.toml", "/runs/a b", "seeds=8"]
    ended, calls = dry(tmp_path, "tpu_pod.sh", arguments, "75\n255\n1\n")
    assert (ended, len(calls)) == (1, 3)
    assert calls[0][:-1] == ["gcloud", *"compute tpus tpu-vm ssh slice --zone us-a --worker all --command".split()]
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {calls[0][-1].partition('&&')[2]}"], capture_output=True, text=True
    )
    parsed = build_parser().parse_args(words.stdout.splitlines()[1:])
    assert asked(parsed) == (True, True, Path("/runs/a b"), ["seeds=8"])
    ended, calls = dry(tmp_path, "tpu_pod.sh", arguments, "75\n" * 5)
    assert (ended, len(calls)) == (75, 3 + 3)


def test_scripts_are_sound_bash() -> None:
    for script in sorted((ROOT / "launch").iterdir()):
        subprocess.run(["bash", "-n", script], check=True)
