"""Import of bank statements: each line kept once and booked if it is exact, in batches.

What is owed is read once, to find what a line names; each line is then decided by what is owed at
that moment, after the lines before it. A batch is one transaction. If somebody else was at work on
the same records, it is decided anew; a crash leaves whole batches, and the import may be repeated.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, TypeAlias, cast

from attrs import define, field

from subscriptions.decisions import Change
from subscriptions.engine import commit
from subscriptions.engine.gather import Batch
from subscriptions.engine.procedures import Procedure
from subscriptions.engine.remembering import once
from subscriptions.errors import Conflict, Duplicate, ValidationError
from subscriptions.statements import StatementLine
from subscriptions.statements.csv_files import DEFAULT, CsvFormat, read_csv
from subscriptions.storage import Reader, Storage, UnitOfWork
from subscriptions.usecases import statements
from subscriptions.usecases.flows import Context
from subscriptions.usecases.statements import Imported, Importing, StatementReport

if TYPE_CHECKING:
    from subscriptions.engine.core import Engine

BATCH = 100
TRIES = 5

StatementFormat: TypeAlias = CsvFormat | Literal["csv", "camt.053"]
StatementSource: TypeAlias = (
    str | bytes | os.PathLike[str] | IO[str] | IO[bytes] | Iterable[StatementLine]
)
_Given: TypeAlias = list[tuple[str, tuple[StatementLine, ...]]]


def read(source: StatementSource, format: StatementFormat | None, account: str | None) -> _Given:
    """Return the lines of a source by their accounts: lines, or a text, bytes, file or path.

    Without `format`, what begins as XML is CAMT.053 and everything else is CSV. Raises
    `ValidationError` for what is no statement, `OSError` for a file that cannot be read.
    """
    if isinstance(source, str | bytes):
        return _parsed(source, format, account)
    if isinstance(source, os.PathLike):
        return _parsed(Path(source).read_bytes(), format, account)
    opened = getattr(source, "read", None)
    if callable(opened):
        content: object = opened()
        if isinstance(content, str | bytes):
            return _parsed(content, format, account)
    lines: object = source
    if not isinstance(lines, Iterable):
        raise ValidationError("source", lines, "a text, bytes, a Path, an open file or lines")
    return [(account or "default", tuple(cast("Iterable[StatementLine]", lines)))]


def _parsed(content: str | bytes, format: StatementFormat | None, account: str | None) -> _Given:
    if isinstance(content, bytes):
        try:
            content = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValidationError("file", "bytes", "a file in UTF-8") from None
    if format == "camt.053" or (format is None and content.lstrip().startswith("<")):
        # The parser of XML is loaded when it is asked for.
        from subscriptions.statements.camt import (  # noqa: PLC0415 - loaded when first used
            read_camt,
        )

        found = read_camt(content)
        return [(account or each.account or "default", each.lines) for each in found]
    if format not in (None, "csv") and not isinstance(format, CsvFormat):
        raise ValidationError("format", format, "'csv', 'camt.053' or a CsvFormat")
    lines = read_csv(content, format if isinstance(format, CsvFormat) else DEFAULT)
    return [(account or "default", lines)]


@define
class StatementImport:
    """Imports lines into the storage of one tenant; `unit` is a transaction that is open."""

    storage: Storage
    context: Context
    unit: UnitOfWork | None = None
    changes: list[Change] = field(factory=list[Change])

    def run(self, given: _Given, *, gateway: str, book: bool) -> Procedure[StatementReport]:
        """Import the lines of one account after the other."""
        reports: list[StatementReport] = []
        for account, lines in given:
            wanted = statements.read_lines(lines, account, self.context)
            reader: Reader = self.storage if self.unit is None else self.unit
            among = yield from Batch(reader, self.context.tenant).one(statements.open_invoices())
            how = statements.read_importing(
                account=account, gateway=gateway, book=book, among=among, context=self.context
            )
            for start in range(0, len(wanted), BATCH):
                part = wanted[start : start + BATCH]
                changes = yield from self._commit(part, how)
                self.changes += changes
                reports.append(statements.counted(part, changes))
        return statements.joined(reports)

    def _commit(self, part: Sequence[Imported], how: Importing) -> Procedure[list[Change]]:
        writing = partial(self._write, part=part, how=how)
        if self.unit is not None:
            return (yield from writing(self.unit))
        for _ in range(TRIES - 1):
            try:
                return (yield from commit.within(self.storage, writing))
            except (Conflict, Duplicate):
                # Another import, or somebody who paid: what it did is seen the next time.
                continue
        return (yield from commit.within(self.storage, writing))

    def _write(
        self, unit: UnitOfWork, part: Sequence[Imported], how: Importing
    ) -> Procedure[list[Change]]:
        changes: list[Change] = []
        for each in part:
            flow = statements.take_in(each, how, self.context)
            decision = yield from Batch(unit, self.context.tenant).one(flow)
            changes += yield from commit.write(
                unit,
                [decision],
                tenant=self.context.tenant,
                zone=self.context.seller.zone,
                at=self.context.at,
            )
        return changes


def import_statement(
    engine: Engine,
    source: StatementSource,
    format: StatementFormat | None,
    *,
    account: str | None,
    gateway: str,
    book: bool,
    at: datetime | None,
    idempotency_key: str | None,
) -> Procedure[StatementReport]:
    """Import a bank statement; in an open transaction it is part of that.

    With an idempotency key the same lines are the same request, wherever they are read from.
    """
    moment, opened = engine.time(at), engine.opened
    given = read(source, format, account)
    importing = StatementImport(engine.storage, engine.context(moment), engine.unit)
    try:
        report = yield from once(
            engine,
            "payments.import_statement",
            idempotency_key,
            (given, gateway, book),
            lambda: importing.run(given, gateway=gateway, book=book),
            kind=StatementReport,
            at=moment,
        )
    finally:
        # What was committed before something failed is acted on all the same.
        if opened is None and importing.changes:
            yield from engine.act(importing.changes, moment)
    if opened is not None:
        opened.take(importing.changes, moment)
    return report
