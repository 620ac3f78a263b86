"""One lesson executed by papermill in a kernel of this Python, which also says what the lesson used."""

from __future__ import annotations

import ast
import json
import os
import time
from pathlib import Path
from typing import Any

import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.log import logger

from babyagi_course import watch
from babyagi_course.errors import CourseError
from babyagi_course.lessons import Lesson
from babyagi_course.memory import peak_memory
from babyagi_lib.basics.machine import give_home
from babyagi_lib.learner import journal, states

# The module that holds the watch in the kernel, where no cell comes across it.
WATCH = "babyagi_watch"


def execute(
    lesson: Lesson, parameters: dict[str, Any], unfinished: Path, root: Path, *, progress: bool = True
) -> dict[str, Any]:
    """Execute a lesson into a file, with a bar that shows its progress if that is asked for.

    The book shows the outputs of a run without other parameters, so only there explorers draw all their states.

    Returns:
        `status`, `seconds` and `peak_memory_mb`; for a good run `used`, as `watch.Watch.used` returns it; for a failure
        `cell` and `error`.
    """
    give_home()
    # Without folders to look in, Jupyter starts the kernel of the Python that runs this tool. With them, a kernel called
    # python3 that the user once installed for another Python would come first.
    own_kernel = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    watched: dict[str, Any] = {}
    started = time.perf_counter()
    with peak_memory() as peak:
        try:
            _ = lesson.kernelspec  # raises where there is none
            papermill.execute_notebook(
                _as_it_is(lesson.path),
                _as_it_is(unfinished),
                parameters=parameters,
                cwd=lesson.path.parent,
                engine_name=Engine.NAME,
                kernel_name="python3",
                km=own_kernel,
                root=root,
                watched=watched,
                env=os.environ | ({} if parameters else {states.ASKED: "1"}),
                progress_bar=progress and {"leave": False, "position": 1, "desc": lesson.name},
            )
            went = {"status": "ok", "used": watched}
        except PapermillExecutionError as error:
            went = {"status": "failed", "cell": error.cell_index, "error": f"{error.ename}: {error.evalue}"[:500]}
        except DeadKernelError:
            went = {"status": "failed", "cell": None, "error": "the kernel died, most often because memory ran out"}
        except RuntimeError as error:
            went = {"status": "failed", "cell": None, "error": f"the kernel did not start ({error})"}
        except CourseError as error:
            went = {"status": "failed", "cell": None, "error": str(error)}
        except OSError:
            raise
        except Exception as error:  # papermill and nbformat raise many kinds for a notebook that they cannot read
            fault = f"the notebook cannot be run ({type(error).__name__}: {error})"[:500]
            went = {"status": "failed", "cell": None, "error": fault}
    went["seconds"] = round(time.perf_counter() - started, 1)
    went["peak_memory_mb"] = round(max(peak) / 2**20)
    return went


class Client(PapermillNotebookClient):
    """Papermill's client, which has what the cells use watched from inside the kernel.

    It asks the kernel in silent requests. They leave no trace in the notebook, nor in the names and counts of the kernel.
    """

    def __init__(self, manager: NotebookExecutionManager, root: Path, watched: dict[str, Any], **options: Any) -> None:
        super().__init__(manager, **options)
        self.root, self.watched = root, watched

    def papermill_execute_cells(self) -> None:
        """Execute every cell, with a request before the first and one after the last."""
        text = f"{Path(watch.__file__).read_text(encoding='utf-8')}\nof_lesson = Watch({str(self.root.resolve())!r}, {journal.FILE!r})"
        module = f"__import__('sys').modules.setdefault({WATCH!r}, __import__('types').ModuleType({WATCH!r}))"
        self._ask(f"exec({text!r}, vars({module}))", "None")
        super().papermill_execute_cells()
        if not self.nb.metadata.papermill.get("exception"):
            self.watched |= json.loads(self._ask("", f"__import__('sys').modules[{WATCH!r}].of_lesson.as_json()"))

    def _ask(self, program: str, expression: str) -> Any:
        """Run a program in the kernel without a trace. Returns the value of a plain expression.

        Raises:
            CourseError: the kernel cannot do it.
        """
        request = self.kc.execute(program, silent=True, user_expressions={"value": expression})
        reply = self.wait_for_reply(request)["content"]
        said = reply["user_expressions"]["value"] if reply["status"] == "ok" else reply
        if said["status"] != "ok":
            raise CourseError(f"the kernel cannot say what the lesson used ({said['ename']}: {said['evalue']})"[:500])
        return ast.literal_eval(said["data"]["text/plain"])


class Engine(NBClientEngine):
    """Papermill's engine with the client that watches."""

    NAME = "watched"

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        root: Path,
        watched: dict[str, Any],
        env: dict[str, str],
        km: AsyncKernelManager,
        start_timeout: int,
        **_: Any,
    ) -> None:
        """Execute the cells in the kernel that `km` starts and that ends with them, and add what they used to `watched`."""
        client = Client(
            nb_man, root, watched, km=km, kernel_name=kernel_name, startup_timeout=start_timeout, log=logger
        )
        client.execute(env=env, cleanup_kc=True)  # else a kernel of a manager that was given stays, with all its memory


papermill_engines.register(Engine.NAME, Engine)


def _as_it_is(path: Path) -> str:
    """A path for papermill, which takes {braces} in one for parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")
