"""`babyagi doctor`: what this machine has, what is missing, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from babyagi_lib.course.running import machine


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report; `remedy` says what to do where `ok` is false."""

    ok: bool
    what: str
    remedy: str = ""
    needed: bool = True

    def line(self) -> str:
        """As it is printed, the remedy on a line of its own."""
        mark = "[OK]  " if self.ok else "[FAIL]" if self.needed else "[--]  "
        return f"{mark} {self.what}" + (f"\n       {self.remedy}" if not self.ok and self.remedy else "")


def examine(network: bool = False) -> list[Finding]:
    """Every finding, cheapest first. Imports torch, and with `network` asks the hub for one small page."""
    findings = [_python(), *_packages(), *_hardware(), _embedded_model(), _memory(), _disk()]
    return [*findings, _hub()] if network else findings


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding(ok, f"Python {platform.python_version()}", "The course needs Python 3.11 or newer.")


def _packages() -> list[Finding]:
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(text) for text in metadata.requires("babyagi-course") or []]
    except metadata.PackageNotFoundError:
        return [Finding(False, "the course is not installed", "pip install -e . in the checkout, or make course")]
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
        remedy = f"the course is tested with {requirement}: pip install '{requirement}'"
        findings.append(Finding(ok, f"{requirement.name} {version}", remedy))
    return findings


def _hardware() -> list[Finding]:
    try:
        import torch
    except Exception as error:  # a broken installation fails in many ways, and the doctor has to survive them all
        return [Finding(False, f"torch cannot be imported: {error}", "pip install --force-reinstall torch")]
    from babyagi_lib.training import best_precision

    capability = torch.backends.cpu.get_cpu_capability()
    findings = [Finding(True, f"{machine()}; {capability}, torch uses {torch.get_num_threads()} threads")]
    if torch.cuda.is_available():
        findings.append(Finding(True, f"GPU: {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"))
    elif torch.backends.mps.is_available():
        findings.append(Finding(True, "GPU: Apple (MPS)"))
    else:
        findings.append(
            Finding(False, "no GPU", "None is needed: every lesson has a size that suits a CPU.", needed=False)
        )
    told = {"bf16": "bfloat16", "fp16": "float16", "no": "float32"}[best_precision()]
    findings.append(Finding(True, f"training will use {told} (measured on this machine)"))
    return findings


def _embedded_model() -> Finding:
    from babyagi_lib import sources

    try:
        folder = sources.embedded_folder()
    except sources.SourceError as error:
        return Finding(False, "embedded encoder", str(error))
    return Finding(True, f"embedded encoder all-MiniLM-L6-v2, hash as published ({folder.parent.name})")


def _hub() -> Finding:
    """Whether hub names would work: they are never needed by the default run."""
    from huggingface_hub import constants

    from babyagi_lib.sources.base import hub_answers

    remedy = 'Only needed for hub names such as MODEL = "bert-base-cased"; everything embedded works offline.'
    if constants.HF_HUB_OFFLINE:
        return Finding(False, "the Hugging Face hub is switched off (HF_HUB_OFFLINE)", remedy, needed=False)
    reached = hub_answers()
    return Finding(reached, f"the Hugging Face hub {'can' if reached else 'cannot'} be reached", remedy, needed=False)


def _memory() -> Finding:
    import psutil

    free = psutil.virtual_memory().available / 2**30
    return Finding(free >= 3, f"{free:.1f} GB of memory free", "A lesson needs up to 3 GB: close other programs.")


def _disk() -> Finding:
    folder = Path.cwd()
    free = shutil.disk_usage(folder).free / 2**30
    writable = os.access(folder, os.W_OK)
    if not writable:
        return Finding(False, f"{folder} cannot be written to", "Copy the course to a folder of your own.")
    return Finding(free >= 1, f"{free:.1f} GB of disk free", "Runs and the book need about 1 GB.")
