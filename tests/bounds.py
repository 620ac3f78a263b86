"""The ranges of pyproject.toml, for `make test-oldest` and `make test-newest`.

python tests/bounds.py oldest       a constraint for each direct dependency: the lower bound of its range
python tests/bounds.py installed    the version of each direct dependency that is installed here
"""

import sys
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(extras: bool = True) -> list[Requirement]:
    """Every direct dependency, with those of the extras or without."""
    texts = [*PROJECT["dependencies"]]
    if extras:
        texts += [text for extra in PROJECT["optional-dependencies"].values() for text in extra]
    return [requirement for requirement in map(Requirement, texts) if requirement.name != PROJECT["name"]]


def oldest(requirement: Requirement) -> str:
    """The lower bound of a range."""
    (bound,) = [part.version for part in requirement.specifier if part.operator in (">=", "==")]
    return bound


def distribution(name: str) -> metadata.Distribution | None:
    """What is installed of that name; copies that others carry inside, as setuptools does, do not count."""
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return next(iter(metadata.distributions(name=name, path=folders)), None)


if __name__ == "__main__":
    for requirement in requirements():
        if sys.argv[1:] == ["oldest"]:
            print(f"{requirement.name}=={oldest(requirement)}")
        elif sys.argv[1:] == ["installed"]:
            if found := distribution(requirement.name):  # else of an extra that is not installed here
                print(f"{requirement.name} {found.version}  ({requirement.specifier})")
        else:
            sys.exit(__doc__)
