"""Import: rows are judged side by side, then committed in batches, each row whole or not at all.

First every row is judged without writing, which is all that a dry run does. Then gateways are asked
about the tokens of the good rows, outside of every transaction. Then batches are committed; if one
fails, its rows are committed one by one, so that a row that fails leaves nothing and costs nobody
else. Nothing that becomes due is done here: nothing is charged, and no invoice is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias, TypeVar

from attrs import define, field

from subscriptions import customer_files
from subscriptions.customer_files import CustomerRow, FileFormat, RowError
from subscriptions.decisions import Decision
from subscriptions.engine import commit
from subscriptions.engine.gather import Batch, together
from subscriptions.engine.procedures import Procedure, call
from subscriptions.engine.remembering import once
from subscriptions.errors import Conflict, DomainError, Duplicate, GatewayError, ValidationError
from subscriptions.frozen import frozen
from subscriptions.gateways import ChecksTokens, PaymentGateway
from subscriptions.payment_methods import MethodDetails
from subscriptions.storage import Reader, Storage, UnitOfWork
from subscriptions.usecases import imports
from subscriptions.usecases.flows import Context, Flow
from subscriptions.usecases.imports import Enrolled, ImportReport

if TYPE_CHECKING:
    from subscriptions.engine.core import Engine

T = TypeVar("T")
Source: TypeAlias = str | bytes | os.PathLike[str] | IO[str] | IO[bytes]
_Question: TypeAlias = Callable[[], MethodDetails | None]
_Answer: TypeAlias = MethodDetails | Exception | None

BATCH = 500
TRIES = 3


def read(
    source: Source, format: FileFormat | None
) -> tuple[int, tuple[CustomerRow, ...], tuple[RowError, ...]]:
    """Read a source: a text, bytes in UTF-8, an open file, or the path of one.

    A path may say its format by its suffix; else it is CSV. Bytes that are not UTF-8 are an error
    of the file. Raises `OSError` for a file that cannot be read.
    """
    content: str | bytes
    if isinstance(source, str | bytes):
        content = source
    elif isinstance(source, os.PathLike):
        content = Path(source).read_bytes()
    elif callable(getattr(source, "read", None)):
        content = source.read()
    else:
        raise ValidationError("source", source, "a text, bytes, a Path or an open file")
    named_json = isinstance(source, os.PathLike) and Path(source).suffix.lower() == ".json"
    known: FileFormat = format or ("json" if named_json else "csv")
    if isinstance(content, str):
        return customer_files.read(content, format=known)
    try:
        return customer_files.read(content.decode("utf-8-sig"), format=known)
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        shown = content[error.start : error.start + 1].hex()
        return 0, (), (RowError(row, "file", f"byte {shown}", "UTF-8; save it as 'CSV UTF-8'"),)


@frozen
class Importer:
    """Imports rows into the storage of one tenant; `unit` is a transaction that is open already."""

    storage: Storage
    gateways: Mapping[str, PaymentGateway]
    context: Context
    unit: UnitOfWork | None = None

    def run(
        self,
        count: int,
        rows: Sequence[CustomerRow],
        errors: Sequence[RowError],
        *,
        dry_run: bool,
    ) -> Procedure[ImportReport]:
        """Import the good rows; `errors` are those of the others, and are reported with these."""
        tally = _Tally(errors=list(errors))
        wanted: list[CustomerRow] = []
        for chunk in _chunks(rows):
            results = yield from self._judge(chunk)
            wanted += tally.sort_out(chunk, results)
        attached = yield from self._ask(wanted, tally, dry_run=dry_run)
        left = [row for row in wanted if row.row not in tally.failed]
        if dry_run:
            tally.created = len(left)
        else:
            # Numbers given by hand are stored first: then the numbers of the range pass them by.
            by_hand = [row for row in left if row.customer.number is not None]
            of_range = [row for row in left if row.customer.number is None]
            for chunk in (*_chunks(by_hand), *_chunks(of_range)):
                yield from self._commit_all(chunk, attached, tally)
        found = tuple(sorted(tally.errors, key=lambda error: error.row))
        return ImportReport(count, tally.created, tally.unchanged, found, dry_run)

    # ---- judge ------------------------------------------------------------------------------

    def _judge(self, rows: Sequence[CustomerRow]) -> Procedure[list[Enrolled | Exception]]:
        reader: Reader = self.storage if self.unit is None else self.unit
        flows = [imports.enroll(row, self.context) for row in rows]
        return (yield from Batch(reader, self.context.tenant).run(flows))

    # ---- ask gateways -----------------------------------------------------------------------

    def _ask(
        self, rows: Sequence[CustomerRow], tally: _Tally, *, dry_run: bool
    ) -> Procedure[dict[int, MethodDetails]]:
        """Return what gateways say of tokens, by row. A dry run changes nothing at a gateway.

        So it asks only those that can check a token without taking it.
        """
        by_gateway: dict[str, list[CustomerRow]] = {}
        for row in rows:
            method = imports.token_of(row, self.context)
            if method is not None:
                by_gateway.setdefault(method.gateway, []).append(row)
        attached: dict[int, MethodDetails] = {}
        for name, asking in by_gateway.items():
            gateway = self.gateways[name]
            if dry_run and not isinstance(gateway, ChecksTokens):
                continue
            answers = yield from call(
                _ask_all, gateway, self._questions(gateway, asking, dry_run=dry_run)
            )
            for row, answer in zip(asking, answers, strict=True):
                if isinstance(answer, MethodDetails):
                    attached[row.row] = answer
                elif isinstance(answer, Exception):
                    tally.refuse(row, "payment_token", "(hidden)", _why(answer))
        return attached

    def _questions(
        self, gateway: PaymentGateway, rows: Sequence[CustomerRow], *, dry_run: bool
    ) -> list[_Question]:
        questions: list[_Question] = []
        for row in rows:
            assert row.method is not None
            if dry_run and isinstance(gateway, ChecksTokens):
                questions.append(partial(gateway.check_token, row.method.token))
            else:
                customer = imports.customer_id(row, self.context)
                questions.append(partial(gateway.attach, row.method.token, customer))
        return questions

    # ---- commit -----------------------------------------------------------------------------

    def _commit_all(
        self, rows: Sequence[CustomerRow], attached: Mapping[int, MethodDetails], tally: _Tally
    ) -> Procedure[None]:
        """Commit rows together; those that want the same new price wait for the first of them."""
        tries = 0
        while rows:
            try:
                results, deferred = yield from self._commit(rows, attached)
            except (DomainError, Conflict, Duplicate) as error:
                if self.unit is not None:
                    raise  # the transaction is the host's, and is lost
                if len(rows) > 1:
                    for row in rows:
                        yield from self._commit_all([row], attached, tally)
                    return
                tries += 1
                if not isinstance(error, Conflict) or tries == TRIES:
                    tally.refuse(rows[0], *_whose(error))
                    return
                continue
            tally.created += len(tally.sort_out(rows, results)) - len(deferred)
            rows = deferred

    def _commit(
        self, rows: Sequence[CustomerRow], attached: Mapping[int, MethodDetails]
    ) -> Procedure[tuple[list[Enrolled | Exception], list[CustomerRow]]]:
        def enroll(
            unit: UnitOfWork,
        ) -> Procedure[tuple[list[Enrolled | Exception], list[CustomerRow]]]:
            context = self.context
            flows: list[Flow[Enrolled]] = [
                imports.enroll(row, context, attached=attached.get(row.row)) for row in rows
            ]
            batch = Batch(unit, context.tenant)
            results = yield from batch.run(flows)
            accepted, deferred = together(results, batch.reads)
            yield from commit.write(
                unit,
                [results[index] for index in accepted],
                tenant=context.tenant,
                zone=context.seller.zone,
                at=context.at,
            )
            return results, [rows[index] for index in deferred]

        if self.unit is not None:
            return (yield from enroll(self.unit))
        return (yield from commit.within(self.storage, enroll))


@define
class _Tally:
    """What became of the rows so far."""

    created: int = 0
    unchanged: int = 0
    errors: list[RowError] = field(factory=list[RowError])
    failed: set[int] = field(factory=set[int])

    def sort_out(
        self, rows: Sequence[CustomerRow], results: Sequence[Enrolled | Exception]
    ) -> list[CustomerRow]:
        """Note what is unchanged and what is wrong; return the rows that make something."""
        left: list[CustomerRow] = []
        for row, result in zip(rows, results, strict=True):
            if isinstance(result, Decision):
                if result.changes or result.issues:
                    left.append(row)
                else:
                    self.unchanged += 1
            elif isinstance(result, DomainError):
                self.refuse(row, *_whose(result))
            elif isinstance(result, Exception):
                raise result
            else:
                self.failed.add(row.row)
                self.errors += result
        return left

    def refuse(self, row: CustomerRow, name: str, value: str, message: str) -> None:
        self.failed.add(row.row)
        self.errors.append(RowError(row.row, name, value, message))


def _ask_all(gateway: PaymentGateway, questions: Sequence[_Question]) -> list[_Answer]:
    at_once = min(gateway.capabilities.in_flight_max, len(questions))
    if at_once <= 1:
        return [_answer(question) for question in questions]
    with ThreadPoolExecutor(at_once, thread_name_prefix="attach") as pool:
        return list(pool.map(_answer, questions))


def _answer(question: _Question) -> _Answer:
    try:
        return question()
    except Exception as error:  # noqa: BLE001 - it is the answer for one row; the others go on
        return error


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return error.expected
    if isinstance(error, GatewayError):
        return "an answer of the gateway; there was none, so import the file again"
    return f"an answer of the gateway; it failed with {type(error).__name__}"


def _whose(error: Exception) -> tuple[str, str, str]:
    match error:
        case ValidationError():
            return error.field, str(error.value), error.expected
        case Duplicate():
            return error.key.partition(".")[2], error.value, "not taken"
        case _:
            return "row", "", str(error)


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def import_customers(
    engine: Engine,
    source: Source,
    format: FileFormat | None,
    *,
    dry_run: bool,
    at: datetime | None,
    idempotency_key: str | None,
) -> Procedure[ImportReport]:
    """Import a file of running customers; in an open transaction it is part of that.

    With an idempotency key the same rows are the same request; a dry run neither asks for the key
    nor remembers it.
    """
    count, rows, errors = read(source, format)
    context = engine.context(engine.time(at))
    importer = Importer(engine.storage, engine.gateways, context, engine.unit)
    # What a row shows of itself has no token.
    tokens = [None if row.method is None else row.method.token for row in rows]
    report = yield from once(
        engine,
        "customers.import_",
        None if dry_run else idempotency_key,
        (count, rows, tokens, errors),
        lambda: importer.run(count, rows, errors, dry_run=dry_run),
        kind=ImportReport,
        at=context.at,
    )
    if report.created and not dry_run and engine.acts:
        yield from engine.deliver()
    return report
