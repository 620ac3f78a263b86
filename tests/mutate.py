"""Change one line of a module at a time and see whether its tests notice. Run by hand; pytest does not collect it.

    python tests/mutate.py babyagi_lib/rl/exact.py --changes 100 --seed 1
    python tests/mutate.py babyagi_lib/models/heads.py tests/test_heads.py tests/test_adapters.py -- -k "not browser"

A change is one comparison, operator, number, truth value or condition: `<` becomes `<=`, `+` becomes `-`, 3 becomes 4,
`if a` becomes `if not a`. The changes are drawn at random from all that the module has, without annotations and texts.
Each is written into a scratch copy of the checkout, never into the checkout, and the given test files run there until the
first failure: without any, those that have the name of the module or of its folder. What follows `--` goes to pytest.

Printed are the changes that no test noticed. Each needs a test, or a reason why it makes no difference. A test run that
takes five times as long as without a change (and a minute at least) is stopped and counts as noticed. For speed, the large
libraries are imported once and every run is a fork, so this needs Linux or macOS.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OTHER = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
LIBRARIES = ("pytest", "hypothesis", "torch", "transformers", "accelerate", "sklearn", "gymnasium", "matplotlib.pyplot")
TEXTS = (ast.JoinedStr, ast.Raise)  # numbers in messages are not worth a test


def variants(node: ast.AST) -> list[ast.AST]:
    """What a node can be changed into."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return [ast.Constant(not node.value)]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return [ast.Constant(node.value + 1)]
    if isinstance(node, ast.Compare):
        swapped = [[*node.ops[:i], OTHER[type(op)](), *node.ops[i + 1 :]] for i, op in enumerate(node.ops)]
        return [ast.Compare(node.left, ops, node.comparators) for ops in swapped]
    if isinstance(node, ast.BinOp) and type(node.op) in OTHER:
        return [ast.BinOp(node.left, OTHER[type(node.op)](), node.right)]
    if isinstance(node, ast.AugAssign) and type(node.op) in OTHER:
        return [ast.AugAssign(node.target, OTHER[type(node.op)](), node.value)]
    if isinstance(node, ast.BoolOp):
        return [ast.BoolOp(OTHER[type(node.op)](), node.values)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        return [node.operand]
    return []


def changes(source: bytes) -> list[tuple[int, int, int, bytes]]:
    """All changes of a module, as (line, first byte, last byte, new text)."""
    begins = [0]
    for line in source.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    found = []

    def add(node: ast.AST, new: ast.AST) -> None:
        text = ast.unparse(ast.fix_missing_locations(new))
        text = text if isinstance(node, ast.stmt) else f"({text})"
        first, last = begins[node.lineno - 1] + node.col_offset, begins[node.end_lineno - 1] + node.end_col_offset
        found.append((node.lineno, first, last, text.encode()))

    def visit(node: ast.AST) -> None:
        for new in variants(node):
            add(node, new)
        conditions = [node.test] if isinstance(node, ast.If | ast.IfExp | ast.While) else getattr(node, "ifs", [])
        for condition in conditions:
            if ast.unparse(condition) == "TYPE_CHECKING":
                return
            add(condition, ast.UnaryOp(ast.Not(), condition))
        for name, child in ast.iter_fields(node):
            if name not in ("annotation", "returns") and not isinstance(child, TEXTS):
                for one in child if isinstance(child, list) else [child]:
                    if isinstance(one, ast.AST) and not isinstance(one, TEXTS):
                        visit(one)

    visit(ast.parse(source))
    return sorted(set(found))


def run(tests: list[str], copy: Path, limit: float) -> bool:
    """True if the tests pass in the copy, in a fork of this process and within the time limit."""
    child = os.fork()
    if child == 0:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.chdir(copy)
        os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True  # two changes in one second can have the same size
        sys.path[0] = str(copy)  # in place of this script's folder
        import pytest

        code = 1
        try:
            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
        finally:
            os._exit(int(code))
    started = time.monotonic()
    while time.monotonic() - started < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def scratch_copy(folder: Path) -> Path:
    """The checkout's files, as they are now, in a folder of their own."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def tests_of(module: Path) -> list[str]:
    """The test files that have the name of a module or of its folder."""
    files = [f"tests/test_{name}.py" for name in (module.stem, module.parent.name)]
    return [file for file in files if (ROOT / file).is_file()] or sys.exit(
        f"there is none of {files}: name the test files"
    )


def main() -> None:
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", type=Path)
    parser.add_argument("tests", nargs="*")
    parser.add_argument("--changes", type=int, default=100, help="how many to draw (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default: 1)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="draw no more after this time")
    options = parser.parse_intermixed_args(sys.argv[1:cut])
    name = options.module.resolve().relative_to(ROOT)
    tests = [*(options.tests or tests_of(name)), *sys.argv[cut + 1 :]]

    source = (ROOT / name).read_bytes()
    drawn = changes(source)
    random.Random(options.seed).shuffle(drawn)
    for library in LIBRARIES:
        importlib.import_module(library)
    with tempfile.TemporaryDirectory() as folder:
        copy = scratch_copy(Path(folder))
        started = time.monotonic()
        if not run(tests, copy, float("inf")):
            sys.exit("the tests fail without any change")
        limit = max(60, 5 * (time.monotonic() - started))
        (copy / name).write_text("raise ImportError")
        if run(tests, copy, limit):
            sys.exit(f"the tests pass without {name}: they do not use it")

        tried = noticed = 0
        for line, first, last, new in drawn[: options.changes]:
            if time.monotonic() - started > options.seconds:
                break
            (copy / name).write_bytes(source[:first] + new + source[last:])
            tried += 1
            if run(tests, copy, limit):
                old = " ".join(source[first:last].decode().split())
                print(f"{name}:{line}: `{old}` to `{' '.join(new.decode().split())}`", flush=True)
            else:
                noticed += 1
        print(f"{name}: {noticed} of {tried} changes were noticed, of {len(drawn)} possible ones (seed {options.seed})")


if __name__ == "__main__":
    main()
