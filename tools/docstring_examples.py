"""Show the examples of docstrings as code in the reference.

Docstrings are Markdown there, and Markdown reads `>>>` as a quotation in a quotation in a
quotation. So each block of examples is fenced before it is read.
"""

import re
from typing import Any

from griffe import Extension, Object

EXAMPLES = re.compile(r"^>>> .*(?:\n(?!```).+)*", re.MULTILINE)


class FencedExamples(Extension):
    """Fence the examples of every docstring that is collected."""

    def on_object(self, *, obj: Object, **_: Any) -> None:  # noqa: ANN401 - the hook's own signature
        """Replace each run of lines that begins with `>>>`, up to the next empty line."""
        if obj.docstring is not None and "```" not in obj.docstring.value:
            value = obj.docstring.value
            obj.docstring.value = EXAMPLES.sub(r"```pycon\n\g<0>\n```", value)
