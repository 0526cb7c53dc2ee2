"""Whether a `weir run` keeps to its `memory`: draining, restoring, with a broker that stands still."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import threading
import time

from weir import image_environment

TOLERANCE = 1.1  # what the heap wastes between what is in use
CGROUPS = pathlib.Path("/sys/fs/cgroup/memory")


def bytes_of(size):
    number, unit = re.fullmatch(r"(\d+)(MB|GB)", size).groups()
    return int(number) << {"MB": 20, "GB": 30}[unit]


def peak_bytes(process):
    """The most that ever was resident, as the kernel counts it."""
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {process.pid} has no VmHWM")


@contextlib.contextmanager
def standing_still(pid, every_s, for_s):
    """Stops the process again and again: to its clients a broker that does not answer."""
    over = threading.Event()

    def stop_and_go():
        while not over.wait(every_s):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(for_s)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stop_and_go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def limited(name, limit):
    """A cgroup (v1) of that many bytes: a process in it that needs more is killed. None: there is
    no such thing here."""
    group = CGROUPS / name
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(limit))
    except OSError:
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()


def drain(weir, state, memory, timeout_s, group=None, **settings):
    """Reads the input to its end, then once more from the changelog alone. The two peaks."""
    peaks = {}
    for what in ("drain", "restore"):
        # Not waited for: only what is in the group from the beginning is counted to it.
        process = weir.start(state, wait=False, WEIR_MEMORY=memory, **image_environment(), **settings)
        try:
            if group is not None:
                (group / "cgroup.procs").write_text(str(process.pid))
            deadline = time.monotonic() + timeout_s
            while weir.lag() > 0 or not weir.is_ready(process):
                if not process.running():
                    raise RuntimeError(f"{what}: it ended\n{process.output()[-4000:]}")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{what}: {weir.lag()} records are left")
                time.sleep(0.1)
            peaks[what] = peak_bytes(process)
        except BaseException:
            process.kill()
            raise
        assert process.stop(120) == 0, process.output()[-4000:]
        if what == "drain":
            shutil.rmtree(state)
    return peaks
