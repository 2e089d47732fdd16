"""Marks of runs: of several one wins, and no run that lives is taken for dead."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from marking import unreadable, write_mark, zarr_at

from hoaconv.errors import StoreError
from hoaconv.io import mark
from hoaconv.io.folder import Claim, check_free
from hoaconv.io.mark import MARK, Mark, put_mark, read_mark

pytestmark = pytest.mark.oldest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="no /proc here")
NOBODY = 65534

CLAIMING = """
import sys, time
from pathlib import Path
from hoaconv.errors import StoreError
from hoaconv.io.folder import Claim
for line in sys.stdin:
    when, path = line.split()
    while time.time() < float(when):
        pass
    try:
        claim = Claim(Path(path), overwrite=True)
        (claim.path / "0").mkdir()
        print("won", flush=True)
    except StoreError as error:
        claim = None
        print(error, flush=True)
    sys.stdin.readline()
    if claim:
        claim.check()
        claim.finish()
        print("finished", flush=True)
"""


@pytest.mark.parametrize("count", [2, 4])
def test_of_several_runs_on_what_a_dead_one_left_one_wins(tmp_path, count) -> None:
    command = [sys.executable, "-c", CLAIMING]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    runs = [subprocess.Popen(command, **options) for _ in range(count)]
    try:
        for number in range(int(os.environ.get("HOACONV_ROUNDS", "50"))):
            path = zarr_at(tmp_path / f"{number}.zarr")
            write_mark(path, pid=1, start=12.5)
            for run in runs:
                run.stdin.write(f"{time.time() + 0.004} {path}\n")
            told = [run.stdout.readline().strip() for run in runs]
            assert told.count("won") == 1, told
            assert all(t == "won" or "another run" in t for t in told), told
            assert sorted(os.listdir(path)) == [MARK, "0"]
            for run in runs:
                run.stdin.write("finish\n")
            assert runs[told.index("won")].stdout.readline() == "finished\n"
            assert os.listdir(path) == ["0"]
    finally:
        for run in runs:
            run.kill()
            run.communicate()


def test_a_run_that_comes_while_a_dead_one_is_replaced_keeps_its_mark(tmp_path, monkeypatch):
    write_mark(tmp_path, pid=1, start=12.5)
    other, look = Mark.new(), mark._dead

    def slow(file, now):
        dead = look(file, now)
        monkeypatch.setattr(mark, "_dead", look)
        put_mark(tmp_path, other)  # after we looked
        return dead

    monkeypatch.setattr(mark, "_dead", slow)
    with pytest.raises(StoreError, match="another run"):
        put_mark(tmp_path, Mark.new())
    assert read_mark(tmp_path) == other
    assert os.listdir(tmp_path) == [MARK]


def test_a_run_that_died_while_it_replaced_a_mark_is_no_obstacle(tmp_path) -> None:
    write_mark(tmp_path, pid=1, start=12.5, token="a").rename(tmp_path / f"{MARK}.after-b")
    write_mark(tmp_path, pid=1, start=12.5, token="b")
    Claim(tmp_path, overwrite=True).finish()
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_about_to_replace_a_mark_is_let_do_so(tmp_path) -> None:
    write_mark(tmp_path, host="other").rename(tmp_path / f"{MARK}.after-b")
    dead = write_mark(tmp_path, pid=1, start=12.5, token="b").read_bytes()
    with pytest.raises(StoreError, match=r"another run.*on other"):
        Claim(tmp_path, overwrite=True)
    assert (tmp_path / MARK).read_bytes() == dead


@pytest.mark.parametrize("token", ["", "a/b", "..", "A" * 32, "a" * 41, None])
def test_a_mark_with_an_odd_token_is_none(tmp_path, token) -> None:
    write_mark(tmp_path, seconds_ago=1000, token=token)
    assert read_mark(tmp_path) is None
    Claim(tmp_path, overwrite=True).finish()


@pytest.mark.parametrize("start", [float("nan"), float("inf"), 10**400, -1, "1"])
def test_a_mark_with_an_odd_start_is_none(tmp_path, start) -> None:
    write_mark(tmp_path, seconds_ago=1000, start=start)
    assert read_mark(tmp_path) is None
    Claim(tmp_path, overwrite=True).finish()


# Who lives


MARKING = """
import sys, time
from pathlib import Path
from hoaconv.io.folder import Claim
Claim(Path(sys.argv[1]), overwrite=False)
print("marked", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def its(tmp_path):
    """A folder that a live process has marked; its heart beats slowly."""
    return tmp_path / "its.zarr"


@pytest.fixture
def process(its):
    """That process."""
    words = [sys.executable, "-c", MARKING, str(its)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "marked\n"
        os.utime(its / MARK, (1.0, 1.0))
        yield running
        running.kill()


def test_a_live_process_lives_however_old_its_mark_is(its, process) -> None:
    with pytest.raises(StoreError, match="let it finish"):
        Claim(its, overwrite=True)


def test_a_killed_process_that_nobody_has_waited_for_is_dead(its, process) -> None:
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    Claim(its, overwrite=True).finish()


def test_a_process_that_is_gone_is_dead(its, process) -> None:
    process.kill()
    process.wait()
    Claim(its, overwrite=True).finish()


def test_a_clock_that_is_set_kills_nobody(its, process, monkeypatch) -> None:
    told = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: told(self) + 0.01)
    with pytest.raises(StoreError, match="let it finish"):
        check_free(its, overwrite=True)


AS_NOBODY = f"""
import os, sys
from pathlib import Path
from hoaconv.io.mark import read_mark
found = read_mark(Path(sys.argv[1]))
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
is_hidden = not os.path.exists(f"/proc/{{sys.argv[2]}}")
sys.exit(10 * is_hidden + [None, True, False].index(found.lives))
"""


@LINUX
def test_a_process_that_is_hidden_from_this_user_is_not_taken_for_dead(its, process) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can look as somebody else")
    # A process of its own: libraries that this one has loaded may not bear a fork.
    command = [sys.executable, "-c", AS_NOBODY, str(its), str(process.pid)]
    told = subprocess.run(command, check=False).returncode
    if told == 1:
        pytest.skip("/proc is mounted without hidepid=2: nobody's process is hidden")
    assert told == 10


def hide(monkeypatch, process, reason):
    """Have /proc not show a process, and signals not reach it."""
    read = Path.read_bytes

    def hidden(self):
        if self == Path(f"/proc/{process.pid}/stat"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return read(self)

    def kill(pid, number):
        assert (pid, number) == (process.pid, 0)
        if reason:
            raise reason(pid)

    monkeypatch.setattr(Path, "read_bytes", hidden)
    monkeypatch.setattr(os, "kill", kill)


@LINUX
@pytest.mark.parametrize("reason", [PermissionError, None], ids=["not ours", "no /proc"])
def test_of_a_process_that_can_not_be_seen_the_marks_age_tells(
    its, process, monkeypatch, reason
) -> None:
    with monkeypatch.context() as patched:
        hide(patched, process, reason)
        os.utime(its / MARK)
        with pytest.raises(StoreError, match="sign of life"):
            check_free(its, overwrite=True)
        os.utime(its / MARK, (1.0, 1.0))
        check_free(its, overwrite=True)


@LINUX
def test_a_process_that_no_signal_would_reach_is_dead(its, process, monkeypatch) -> None:
    with monkeypatch.context() as patched:
        hide(patched, process, ProcessLookupError)
        os.utime(its / MARK)
        check_free(its, overwrite=True)


def test_systems_without_proc_tell_the_same(process, monkeypatch) -> None:
    its = psutil.Process(process.pid).create_time()
    assert mark._start_elsewhere(process.pid) == its
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):
        mark._start_elsewhere(process.pid)
    process.wait()
    with pytest.raises(ProcessLookupError):
        mark._start_elsewhere(process.pid)

    def denied(_):
        raise psutil.AccessDenied(1)

    monkeypatch.setattr(psutil.Process, "status", denied)
    with pytest.raises(PermissionError):
        mark._start_elsewhere(1)


def test_a_mark_that_the_disk_does_not_give_is_told_as_that(tmp_path, monkeypatch) -> None:
    write_mark(tmp_path, pid=1, start=12.5)
    unreadable(monkeypatch, tmp_path)
    with pytest.raises(StoreError, match=r"can't be read \(Input/output error\).*another run"):
        check_free(tmp_path, overwrite=True)
