"""What the kernel knows of a process: processor time, memory, bytes; and where it may run."""

import os
import pathlib
import time

from cluster import cpu_seconds  # noqa: F401 - of tests/support, as all that starts processes is


def peak_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no VmHWM")


def bytes_in(folder):
    """Of all files there are, however deep; some may go meanwhile."""
    found = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                found += os.stat(os.path.join(directory, name)).st_size
            except FileNotFoundError:
                pass
    return found


def pin(pid, core):
    """All threads that it has; later ones inherit it from those that start them."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            os.sched_setaffinity(int(task.name), {core})
        except ProcessLookupError:
            pass  # it ended meanwhile


def calibration():
    """A fixed piece of work: its processor time shows how fast the machine is just now, the quotient of wall
    clock and processor time how much of a core it gave."""
    wall, cpu, x = time.perf_counter(), time.process_time(), 0
    for i in range(10_000_000):
        x = (x + i * i) & 0xFFFFFFFF
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"cpu_s": round(cpu, 3), "wall_s": round(wall, 3), "load": os.getloadavg()[0]}
