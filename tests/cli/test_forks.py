"""Processes that are forked: what they have of their parent, how they end, and who knows of it.

Each in a process of its own without threads, as those are that fork.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

_BEGIN = """
import os, signal, socket, sys, threading, time
from cli.forks import ForkServer, fork
if True:
"""


def run(words: str) -> str:
    """Run a script in a new process and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", _BEGIN + indent(words, "    ")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    ("act", "status"),
    [
        ("pass", 0),
        ("raise SystemExit", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('words')", 1),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM),
    ],
)
def test_the_exit_status_is_known(act: str, status: int) -> None:
    printed = run(f"""
def act():
    {act}
child = fork(act, "a child", keep=())
assert child.ends_within(30)
print(child.poll(), child.status)
""")
    assert printed == f"{status} {status}\n"


def test_an_error_is_told_by_its_type_alone_and_ends_the_child() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _BEGIN + "    child = fork(lambda: int('a secret'), 'a child', keep=())\n    child.ends_within(30)\n"
            "    sys.exit(child.status)",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 1
    told = done.stdout + done.stderr
    assert "ValueError" in told
    assert "secret" not in told


def test_a_child_has_only_the_files_that_are_kept_for_it_and_a_title_of_its_own() -> None:
    printed = run("""
kept, other = os.pipe()
def act():
    print(sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1] == [0, 1, 2, kept], os.read(0, 1))
    print(open("/proc/self/cmdline").read().rstrip("\\0 "), os.getsid(0) == os.getpid())
assert fork(act, "radpool a-title --of mine", keep={kept}).ends_within(30)
""")
    assert printed == "True b''\nradpool a-title --of mine True\n"


def test_a_process_with_threads_is_not_forked() -> None:
    printed = run("""
threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
try:
    fork(lambda: None, "a child", keep=())
except RuntimeError as refused:
    print(refused)
""")
    assert printed == "a process that has threads must not fork\n"


def test_who_has_threads_lets_a_fork_server_fork_and_waits_for_all_that_it_forked() -> None:
    printed = run("""
def serve(passed):
    passed.sendall(passed.recv(10).upper())
    time.sleep(0.3)
server = ForkServer(serve, "workers")
threading.Thread(target=time.sleep, args=(2,), daemon=True).start()
pairs = [socket.socketpair() for _ in range(3)]
for number, (ours, theirs) in enumerate(pairs):
    server.start(theirs)
    theirs.close()
    ours.sendall(b"word%d" % number)
for ours, _ in pairs:
    print(ours.recv(10).decode())
began = time.monotonic()
server.close()
print(0.1 < time.monotonic() - began < 30)
""")
    assert printed == "WORD0\nWORD1\nWORD2\nTrue\n"


def test_a_fork_server_that_is_gone_is_noticed() -> None:
    printed = run("""
server = ForkServer(lambda passed: None, "workers")
os.kill(int(open(f"/proc/self/task/{os.getpid()}/children").read()), signal.SIGKILL)
os.wait()
try:
    server.start(socket.socket())
except BrokenPipeError:
    print("gone")
""")
    assert printed == "gone\n"
