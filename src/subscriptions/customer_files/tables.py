"""Tables: CSV and JSON texts as rows of named cells, and what is wrong with the text itself.

Nothing here knows what a column means. A cell of a CSV file is a text; one of a JSON file is what
JSON says it is, but numbers with a fraction are exact decimals and never binary floats.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final, NoReturn, TypeAlias, cast

from subscriptions.frozen import frozen

Cells: TypeAlias = dict[str, object]

METADATA: Final = "metadata."
_DELIMITERS: Final = (",", ";")
# An exporter puts a quote before what a spreadsheet would take for a formula; it is not the text.
_GUARDED: Final = ("'=", "'+", "'-", "'@", "'\t", "'\r", "'\0")
_SHOWN_MAX: Final = 80
_NO_ROW: Final[tuple[int, list[str]]] = (1, [])


@frozen
class RowError:
    """One wrong field: in which row, which, what it holds, and what would be right."""

    row: int
    field: str
    value: str
    message: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.field}: {self.message}; got {self.value!r}"


@frozen
class Table:
    """How many rows a text has, and the rows and errors that were found in it."""

    count: int
    rows: tuple[tuple[int, Cells], ...] = ()
    errors: tuple[RowError, ...] = ()


def row_error(row: int, name: str, value: object, message: str) -> RowError:
    """Return an error that shows its value, but never the whole of a long one."""
    text = "" if value is None else str(value)
    return RowError(row, name, text if len(text) <= _SHOWN_MAX else text[:79] + "…", message)


def read_csv(text: str, columns: Sequence[str]) -> Table:
    """Read a CSV text with a header; commas or semicolons, whichever name the known columns."""
    text = text.removeprefix("\ufeff")
    first = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=lambda each: _known(_first_row(text, each), columns))
    lines = _rows(text, delimiter)
    try:
        number, header = next(lines, _NO_ROW)
        names = [_column(cell) for cell in header]
        errors = list(_header_errors(number, names, columns, first))
        if errors:
            return Table(sum(1 for _ in lines), errors=tuple(errors))
        rows: list[tuple[int, Cells]] = []
        count = 0
        for number, cells in lines:
            count += 1
            if len(cells) != len(names):
                message = f"{len(names)} cells, as in the header"
                errors.append(row_error(number, "row", f"{len(cells)} cells", message))
                continue
            rows.append((number, dict(zip(names, map(_unguarded, cells), strict=True))))
        return Table(count, tuple(rows), tuple(errors))
    except _Unreadable as error:
        return Table(error.row, errors=(row_error(error.row, "file", error.text, error.message),))


def read_json(text: str, columns: Sequence[str]) -> Table:
    """Read a JSON text: a list of objects, or an object whose only key `customers` is that list."""
    try:
        document = json.loads(
            text.removeprefix("\ufeff"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:
        return Table(0, errors=(row_error(1, "file", text[:40], f"a JSON text ({error})"),))
    if isinstance(document, dict) and list(cast("dict[str, Any]", document)) == ["customers"]:
        document = cast("dict[str, Any]", document)["customers"]
    if not isinstance(document, list):
        return Table(0, errors=(row_error(1, "file", text[:40], "a list of objects"),))
    rows: list[tuple[int, Cells]] = []
    errors: list[RowError] = []
    objects = cast("list[object]", document)
    for number, each in enumerate(objects, 1):
        if not isinstance(each, dict):
            errors.append(row_error(number, "row", json.dumps(each, default=str), "an object"))
            continue
        cells = _flat(cast("dict[str, object]", each))
        wrong = [
            row_error(number, name, name, _unknown(name, columns))
            for name in cells
            if not _is_column(name, columns)
        ]
        errors += wrong
        if not wrong:
            rows.append((number, cells))
    return Table(len(objects), tuple(rows), tuple(errors))


# ---- CSV --------------------------------------------------------------------------------------


class _Unreadable(Exception):
    """The text stops being CSV at a row."""

    def __init__(self, row: int, text: str, message: str) -> None:
        super().__init__(row, text, message)
        self.row = row
        self.text = text
        self.message = message


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Iterate over rows that are not blank, numbered as a spreadsheet shows them."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    while True:
        number += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _Unreadable(number, "", f"CSV as in RFC 4180 ({error})") from error
        if row:
            yield number, row


def _first_row(text: str, delimiter: str) -> list[str]:
    try:
        return next(_rows(text, delimiter), _NO_ROW)[1]
    except _Unreadable:
        return []


def _known(header: Sequence[str], columns: Sequence[str]) -> int:
    return sum(_is_column(_column(cell), columns) for cell in header)


def _column(cell: str) -> str:
    name = cell.strip()
    return name if name.startswith(METADATA) else name.lower()


def _header_errors(
    row: int, names: Sequence[str], columns: Sequence[str], first: str
) -> Iterator[RowError]:
    if not any(_is_column(name, columns) for name in names):
        message = "a header that names the columns, such as external_id,name"
        if first.lower().endswith((".csv", ".json")):
            message += "; a file is given as a Path"
        yield row_error(row, "header", first.strip(), message)
        return
    for name, times in Counter(names).items():
        if times > 1:
            yield row_error(row, name, name, "each column once")
        if not _is_column(name, columns):
            yield row_error(row, name or "header", name, _unknown(name, columns))


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith(_GUARDED) else cell


# ---- JSON -------------------------------------------------------------------------------------


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        name = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {name!r} stands twice in one object")
    return found


def _flat(cells: Mapping[str, object]) -> Cells:
    flat: Cells = {}
    for name, value in cells.items():
        if name == "metadata" and isinstance(value, dict):
            inner = cast("dict[str, object]", value)
            flat.update({f"{METADATA}{key}": each for key, each in inner.items()})
        else:
            flat[name] = value
    return flat


# ---- columns ----------------------------------------------------------------------------------


def _is_column(name: str, columns: Sequence[str]) -> bool:
    return name in columns or (name.startswith(METADATA) and name != METADATA)


def _unknown(name: str, columns: Sequence[str]) -> str:
    near = get_close_matches(name, columns, 1)
    if near:
        return f"a known column; did you mean {near[0]!r}?"
    return f"a known column: {', '.join(columns)} or metadata.x"
