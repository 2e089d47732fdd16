"""Print a constraint for each dependency: the oldest version that pyproject.toml allows."""

import re
import tomllib
from pathlib import Path


def main() -> None:
    """Turn ``name>=1.2,<3`` into ``name==1.2``; what only tests need may be new."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        found = re.match(r"([\w.-]+)(?:\[[^]]*\])?>=([\w.]+)", requirement)
        if found:
            print(f"{found[1]}=={found[2]}")


if __name__ == "__main__":
    main()
