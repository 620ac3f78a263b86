"""What this machine has, what is missing, and what to do about it. Used by lesson 00 and by `babyagi doctor`.

The machine may be broken in any way. So an error during the examination becomes one of the findings.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from babyagi_lib.basics.machine import give_home, machine
from babyagi_lib.sources.errors import SourceError, first_line


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report; `remedy` says what to do if `ok` is false."""

    ok: bool
    what: str
    remedy: str = ""
    needed: bool = True

    def line(self) -> str:
        """The text to print, with the remedy on its own line."""
        mark = "[OK]  " if self.ok else "[FAIL]" if self.needed else "[--]  "
        return f"{mark} {self.what}" + (f"\n       {self.remedy}" if not self.ok and self.remedy else "")


def examine(network: bool = False) -> list[Finding]:
    """Every finding, cheapest first. Imports torch, and with `network` asks the hub for one small page."""
    parts = [_python, _packages, _kernel, _hardware, _embedded_model, _memory, _disk, *([_hub] if network else [])]
    return [finding for part in parts for finding in _examined(part)]


def _examined(part: Callable[[], list[Finding]]) -> list[Finding]:
    """The findings of one part of the examination; an error in it becomes a finding."""
    about = part.__name__.strip("_").replace("_", " ")
    try:
        return part()
    except Exception as error:  # a broken installation or an odd environment variable can raise anything
        said = f"{type(error).__name__}: {first_line(error)}"
        remedy = "Correct the cause that it names, perhaps an environment variable. Run babyagi doctor again."
        return [Finding(False, f"{about}: could not be examined ({said})", remedy, needed=part is not _hub)]


def _python() -> list[Finding]:
    from packaging.specifiers import SpecifierSet

    needed = metadata.metadata("babyagi-course")["Requires-Python"]
    ok = SpecifierSet(needed).contains(platform.python_version(), prereleases=True)
    return [Finding(ok, f"Python {platform.python_version()}", f"The course needs Python {needed}.")]


def _kernel() -> list[Finding]:
    """Whether notebooks that are opened in JupyterLab get this environment's Python; `babyagi run` always does."""
    if find_spec("jupyter_client") is None:
        return [
            Finding(False, "Jupyter is not installed", 'To run notebooks here: pip install -e ".[lab]"', needed=False)
        ]
    from jupyter_client.kernelspec import KernelSpecManager

    give_home()
    spec = KernelSpecManager().get_kernel_spec("python3")
    python, (major, minor) = spec.argv[0], sys.version_info[:2]
    its_own = ("python", f"python{major}", f"python{major}.{minor}")  # names for which Jupyter takes its own Python
    if python in its_own or Path(python).parent.resolve() == Path(sys.executable).parent.resolve():
        return [Finding(True, "JupyterLab's kernel python3 uses the Python of this environment")]
    return [
        Finding(
            False,
            f"JupyterLab's kernel python3 uses another Python: {python} ({spec.resource_dir})",
            "Start JupyterLab with make lab, or set the environment variable JUPYTER_PREFER_ENV_PATH=1 before you start "
            "it. Or remove this kernel: jupyter kernelspec remove python3",
        )
    ]


def _packages() -> list[Finding]:
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(text) for text in metadata.requires("babyagi-course") or []]
    except metadata.PackageNotFoundError:
        return [
            Finding(
                False,
                "the course is not installed",
                "Run pip install -e . in the folder of the course, or make course.",
            )
        ]
    findings = []
    for requirement in requirements:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            findings.append(Finding(False, f"{requirement.name} is not installed", f"pip install '{requirement}'"))
            continue
        ok = requirement.specifier.contains(version.split("+")[0], prereleases=True)
        remedy = f"The course needs {requirement}: pip install '{requirement}'"
        findings.append(Finding(ok, f"{requirement.name} {version}", remedy))
    return findings


def _hardware() -> list[Finding]:
    try:
        import torch
    except Exception as error:  # a broken installation fails in many ways
        return [Finding(False, f"torch cannot be imported: {error}", "pip install --force-reinstall torch")]
    from babyagi_lib.training.precision import best_precision

    capability = torch.backends.cpu.get_cpu_capability()
    findings = [Finding(True, f"{machine()}; {capability}, torch uses {torch.get_num_threads()} threads")]
    if torch.cuda.is_available():
        findings.append(Finding(True, f"GPU: {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"))
    elif torch.backends.mps.is_available():
        findings.append(Finding(True, "GPU: Apple (MPS)"))
    else:
        findings.append(Finding(False, "no GPU", "You do not need one: every lesson runs on a CPU.", needed=False))
    name = {"bf16": "bfloat16", "fp16": "float16", "no": "float32"}[best_precision()]
    findings.append(Finding(True, f"training uses the number format {name}, which suits this machine"))
    return findings


def _embedded_model() -> list[Finding]:
    from babyagi_lib.sources.encoders import embedded_folder

    try:
        folder = embedded_folder()
    except SourceError as error:
        return [Finding(False, "the embedded encoder cannot be used", str(error))]
    return [Finding(True, f"embedded encoder all-MiniLM-L6-v2, the published file ({folder.parent.name})")]


def _hub() -> list[Finding]:
    """Whether models and data can be loaded from the hub. The default run needs nothing from it."""
    from babyagi_lib.sources.hub import hub_fault

    remedy = 'You need it only for names on the hub, such as MODEL = "bert-base-cased". Everything else works offline.'
    if fault := hub_fault():
        return [Finding(False, f"the Hugging Face hub cannot be reached ({fault})", remedy, needed=False)]
    return [Finding(True, "the Hugging Face hub can be reached")]


def _memory() -> list[Finding]:
    import psutil

    free = psutil.virtual_memory().available / 2**30
    return [Finding(free >= 3, f"{free:.1f} GB of memory free", "A lesson needs up to 3 GB: close other programs.")]


def _disk() -> list[Finding]:
    folder = Path.cwd()
    free = shutil.disk_usage(folder).free / 2**30
    findings = [Finding(free >= 1, f"{free:.1f} GB of disk free", "Runs and the book need about 1 GB.")]
    if not os.access(folder, os.W_OK):
        findings.append(
            Finding(False, f"{folder} cannot be written to", "Copy the course to a folder in which you may write.")
        )
    try:
        tempfile.TemporaryFile().close()
    except OSError as error:
        remedy = "Jupyter and PyTorch need one. Set TMPDIR to a folder in which you may write."
        findings.append(Finding(False, f"no folder for temporary files ({error})", remedy))
    return findings
