"""Fill the pages of the reference that follow from the code: errors, events, states.

    python tools/fill_reference.py

A page is written by hand but for its regions, which stand between `<!-- from the code: name -->`
and `<!-- end -->`. The diagrams of states are files beside it. A test compares all of them with
what is written here, so a page that is out of date fails.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from inspect import getdoc, signature
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from subscriptions.errors import SubscriptionsError
from subscriptions.events import TAGS
from tools.draw_states import diagrams, svg, table, unbroken

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
_REGION = re.compile(r"(<!-- from the code: ([a-z_ ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> dict[Path, str]:
    """Return the files as they are to be: the pages with their regions filled, and the diagrams."""
    import_module("subscriptions.serialization")  # an error stands there, beside what it is about
    files = {REFERENCE / "states" / f"{diagram.name}.svg": svg(diagram) for diagram in diagrams()}
    for name in ("errors", "events", "states"):
        page = REFERENCE / f"{name}.md"
        files[page] = _filled(page.read_text(encoding="utf-8"))
    return files


def _filled(text: str) -> str:
    regions = _regions()

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}\n{regions[match[2]]}\n\n{match[3]}"

    return _REGION.sub(fill, text)


def _regions() -> dict[str, str]:
    regions = {"error tree": _error_tree(), "error facts": _error_facts(), "events": _events()}
    for diagram in diagrams():
        drawing = svg(diagram)
        width = re.search(r'width="([0-9.]+)"', drawing)
        assert width is not None
        # On a narrow screen it scrolls rather than becoming illegible.
        style = f"min-width: min({float(width[1]):.0f}px, 34rem)"
        regions[f"states {diagram.name}"] = (
            '<div style="overflow-x: auto" markdown>\n'
            f'![{diagram.title}](states/{diagram.name}.svg){{ style="{style}" }}\n'
            f"</div>\n\n{table(diagram)}"
        )
    return regions


# ---- errors ----------------------------------------------------------------------------------


def _summary(described: type) -> str:
    doc = getdoc(described) or ""
    return " ".join(doc.split("\n\n")[0].split())


def _below(error: type[SubscriptionsError]) -> list[type[SubscriptionsError]]:
    own = [each for each in error.__subclasses__() if each.__module__.startswith("subscriptions.")]
    return sorted(own, key=lambda each: (each.__module__ != "subscriptions.errors", _line(each)))


def _line(error: type[SubscriptionsError]) -> int:
    module = sys.modules[error.__module__]
    return list(vars(module)).index(error.__name__)


def _error_tree() -> str:
    lines = [SubscriptionsError.__name__]

    def draw(error: type[SubscriptionsError], indent: str) -> None:
        below = _below(error)
        for each in below:
            last = each is below[-1]
            lines.append(f"{indent}{'└── ' if last else '├── '}{each.__name__}")
            draw(each, indent + ("    " if last else "│   "))

    draw(SubscriptionsError, "")
    return "\n".join(["```text", *lines, "```"])


def _error_facts() -> str:
    rows = ["| error | what it says | its facts |", "| --- | --- | --- |"]

    def list_(error: type[SubscriptionsError]) -> None:
        facts = ", ".join(f"`{fact}`" for fact in _facts(error))
        name = unbroken(f"`{error.__name__}`")
        rows.append(f"| {name} | {_summary(error)} | {facts} |")
        for each in _below(error):
            list_(each)

    list_(SubscriptionsError)
    return "\n".join(rows)


def _facts(error: type[SubscriptionsError]) -> tuple[str, ...]:
    """Return what an error is made of, which it carries as attributes."""
    makers = [each for each in error.__mro__ if "__init__" in vars(each)]
    if not issubclass(makers[0], SubscriptionsError):
        return ()
    return tuple(signature(makers[0]).parameters)


# ---- events ----------------------------------------------------------------------------------


def _events() -> str:
    parts: list[str] = []
    noun = ""
    for event, tag in TAGS.items():
        if tag.partition(".")[0] != noun:
            noun = tag.partition(".")[0]
            parts += [
                f"\n## {noun.replace('_', ' ').capitalize()}\n",
                "| stored as, and its class | what happened | what it holds |",
                "| --- | --- | --- |",
            ]
        holds = ", ".join(f"`{name}`" for name in event.__annotations__)
        names = unbroken(f"`{tag}`<br>`{event.__name__}`")
        parts.append(f"| {names} | {_summary(event)} | {holds} |")
    return "\n".join(parts).strip("\n")


def main() -> None:
    """Write every file that differs, and say which."""
    for path, text in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(REFERENCE.parent.parent))


if __name__ == "__main__":
    main()
