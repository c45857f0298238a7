"""A real Slurm of one node on this machine, for as long as a test wants it.

Needs Debian's slurm-wlm and munge, and root: Slurm reads /etc/slurm/slurm.conf. Where a Slurm
answers already, that one is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CONF = Path("/etc/slurm/slurm.conf")
FOLDER = Path(tempfile.gettempdir()) / "wakeful-tests-slurm"
COMMANDS = ("slurmctld", "slurmd", "sbatch", "squeue", "munged")
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def why_not() -> str:
    """Why there can be no Slurm here; "" where there can."""
    if answers():
        return ""
    missing = [c for c in COMMANDS if shutil.which(c, path=_PATH) is None]
    if missing:
        return f"no Slurm: {', '.join(missing)} not installed (apt-get install slurm-wlm munge)"
    if os.geteuid() != 0:
        return "no Slurm answers, and only root can start one"
    if CONF.exists() and "wakeful tests" not in CONF.read_text():
        return f"no Slurm answers, and {CONF} is somebody's own"
    return ""


def answers() -> bool:
    """Whether a Slurm that is not ours answers."""
    if shutil.which("sinfo") is None or (
        CONF.exists() and "wakeful tests" in CONF.read_text(errors="replace")
    ):
        return False
    done = subprocess.run(["sinfo", "-h"], capture_output=True, timeout=20, check=False)
    return done.returncode == 0


class Cluster:
    """A cluster of one node.

    Parameters
    ----------
    folder : for its state and logs; None for a Slurm that was there
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.node = socket.gethostname().split(".")[0]

    @property
    def is_ours(self) -> bool:
        """Whether its daemons may be killed."""
        return self.folder is not None

    def start(self) -> None:
        """Start what does not run."""
        assert self.folder is not None
        for name in ("ctld", "d"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        CONF.parent.mkdir(exist_ok=True)
        CONF.write_text(_conf(self.folder, self.node))
        _start_munge()
        self.start_controller()
        subprocess.run([_where("slurmd")], check=True, timeout=60)
        self.wait_until_idle()

    def is_up(self) -> bool:
        """Whether it answers: another test process has started it."""
        if not CONF.exists():
            return False
        done = subprocess.run(["sinfo", "-h"], capture_output=True, timeout=60, check=False)
        return done.returncode == 0

    def start_controller(self) -> None:
        """Start slurmctld alone."""
        subprocess.run([_where("slurmctld")], check=True, timeout=60)

    def kill_controller(self) -> None:
        """Kill -9 of slurmctld."""
        assert self.folder is not None
        pid = int((self.folder / "slurmctld.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        _wait_gone(pid)

    def wait_until_idle(self, timeout_s: float = 30.0) -> None:
        """Until the node takes jobs."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            done = subprocess.run(
                ["sinfo", "-h", "-o", "%t"], capture_output=True, text=True, check=False
            )
            if done.stdout.strip() in ("idle", "mix", "alloc"):
                return
            if done.stdout.strip().rstrip("*") in ("drain", "down", "drng"):
                self.resume()
            time.sleep(0.1)
        raise TimeoutError(f"Slurm does not come up: {done.stdout}{done.stderr}")

    def resume(self) -> None:
        """Take the node back after Slurm drained it."""
        subprocess.run(
            ["scontrol", "update", f"nodename={self.node}", "state=resume"],
            capture_output=True,
            check=False,
        )

    def set_node(self, state: str) -> None:
        """Set the node down, or let it take nothing new ("drain")."""
        words = ["scontrol", "update", f"nodename={self.node}", f"state={state}", "reason=a test"]
        subprocess.run(words, capture_output=True, check=True)

    def recover(self, timeout_s: float = 60.0) -> None:
        """Until jobs run again after the controller was killed.

        One that was killed before it had saved a job gives the job's number to the next one, and
        drains the node that refuses it.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.resume()
            n_right = 0
            for _ in range(3):
                done = subprocess.run(
                    [
                        *("timeout", "8", "sbatch", "--wait", "--mem=50", "--chdir=/"),
                        *("--output=/dev/null", "--wrap=true"),
                    ],
                    capture_output=True,
                    check=False,
                )
                n_right += done.returncode == 0
            if n_right == 3:
                return
            subprocess.run(["scancel", "--me", "--state=PENDING"], capture_output=True, check=False)
        raise TimeoutError("Slurm runs no job any more")

    def stop(self) -> None:
        """Cancel everything and stop the daemons."""
        if self.folder is None:
            return
        subprocess.run(["scancel", "--me"], capture_output=True, check=False)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            done = subprocess.run(["squeue", "-h"], capture_output=True, check=False)
            if not done.stdout.strip():
                break
            time.sleep(0.1)
        for name in ("slurmd", "slurmctld"):
            with contextlib.suppress(OSError, ValueError):
                pid = int((self.folder / f"{name}.pid").read_text())
                os.kill(pid, signal.SIGTERM)
                _wait_gone(pid)


def _wait_gone(pid: int, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _where(command: str) -> str:
    found = shutil.which(command, path=_PATH)
    assert found is not None
    return found


def _start_munge() -> None:
    answer = subprocess.run(["munge", "-n"], capture_output=True, check=False)
    if answer.returncode == 0:
        return
    owner = pwd.getpwnam("munge")
    folder = Path("/run/munge")
    folder.mkdir(exist_ok=True)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    folder.chmod(0o755)
    subprocess.run(["runuser", "-u", "munge", "--", _where("munged")], check=True, timeout=60)


@contextlib.contextmanager
def running_cluster() -> Iterator[Cluster]:
    """As `cluster`; where its daemons can't run on this machine the tests skip, and say why."""
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(cluster())
        except (OSError, TimeoutError, subprocess.SubprocessError) as error:
            pytest.skip(f"Slurm can't be started here: {error}")
        yield found


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A Slurm for this test process and the others that want one; the last one stops it."""
    if answers():
        yield Cluster(None)
        return
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "door").open("w") as door, (FOLDER / "users").open("w") as users:
        found = Cluster(FOLDER)
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            if not found.is_up():
                found.start()
        except BaseException:
            found.stop()
            raise
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield found
        finally:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_UN)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found.stop()


def ask(*command: str, timeout_s: float = 60.0) -> str:
    """What a command of Slurm answers, once it does: a test may have killed the controller."""
    deadline = time.monotonic() + timeout_s
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
        if time.monotonic() > deadline:
            raise AssertionError(f"{' '.join(command)}: {done.stderr}")
        time.sleep(0.2)


def _conf(folder: Path, node: str) -> str:
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 * 9 // 10
    return f"""# Written by the wakeful tests; safe to delete.
ClusterName=wakeful
SlurmctldHost={node}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/d
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
SchedulerParameters=batch_sched_delay=0
MinJobAge=300
KillWait=2
ReturnToService=2
MailProg=/bin/true
NodeName={node} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory={memory_mb} State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=CANCEL
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""
