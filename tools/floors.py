"""Print the lowest versions that pyproject.toml admits, as constraints for pip."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]

declared = [*PROJECT["dependencies"]]
for extra in PROJECT["optional-dependencies"].values():
    declared.extend(extra)

for requirement in map(Requirement, declared):
    for bound in requirement.specifier:
        if bound.operator == ">=":
            print(f"{requirement.name}=={bound.version}")
