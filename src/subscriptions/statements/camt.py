"""Statements as CAMT.053 (ISO 20022 BankToCustomerStatement), in any of its versions.

Read with the XML parser of the standard library: a file with a document type is refused before it
is parsed, so it can define no entities. A file is read whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from xml.etree import ElementTree as ET

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.money import Money
from subscriptions.statements.line import StatementLine, compact_iban

_AMOUNT = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")


@frozen
class Statement:
    """The booked lines of one account; `account` is its IBAN, or whatever the bank calls it."""

    account: str
    lines: tuple[StatementLine, ...]


def read_camt(content: bytes | str) -> tuple[Statement, ...]:
    """Read the statements in a file, in UTF-8; what is not booked yet is left out.

    A booking of several transactions gives a line for each, if their amounts add up to it. Money
    that went out is negative, and so is a reversal of what came in. Raises `ValidationError` for
    what is no such file.
    """
    root = _parsed(content)
    found = [each for each in root.iter() if _tag(each) == "Stmt"]
    if _tag(root) != "Document" or not found:
        raise ValidationError("file", _tag(root), "a CAMT.053 document with a statement")
    return tuple([Statement(_account(each), tuple(_lines(each))) for each in found])


def _parsed(content: bytes | str) -> ET.Element:
    if isinstance(content, bytes):
        try:
            content = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValidationError("file", "bytes", "a file in UTF-8") from None
    if "<!DOCTYPE" in content:
        raise ValidationError("file", "<!DOCTYPE", "a file without a document type")
    try:
        return ET.fromstring(content)  # noqa: S314 - it has no document type
    except (ET.ParseError, ValueError) as error:
        raise ValidationError("file", str(error), "well-formed XML") from None


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _at(element: ET.Element | None, *path: str) -> ET.Element | None:
    """Return the first element down a path of names, in whatever namespace they are."""
    for name in path:
        if element is None:
            return None
        element = next((each for each in element if _tag(each) == name), None)
    return element


def _all(element: ET.Element, name: str) -> Sequence[ET.Element]:
    return [each for each in element if _tag(each) == name]


def _text(element: ET.Element | None, *path: str) -> str:
    found = _at(element, *path)
    return "" if found is None else (found.text or "").strip()


def _account(statement: ET.Element) -> str:
    known = _text(statement, "Acct", "Id", "IBAN") or _text(statement, "Acct", "Id", "Othr", "Id")
    return compact_iban(known)


def _lines(statement: ET.Element) -> Iterator[StatementLine]:
    for entry in _all(statement, "Ntry"):
        # A code of its own in the newer versions, a text in the older ones.
        status = _text(entry, "Sts", "Cd") or _text(entry, "Sts")
        if status not in ("BOOK", ""):
            continue
        details = [x for each in _all(entry, "NtryDtls") for x in _all(each, "TxDtls")]
        whole = _line(entry, details[0] if len(details) == 1 else None, _at(entry, "Amt"))
        parts: list[StatementLine] = []
        if len(details) > 1 and all(_amount_of(each) is not None for each in details):
            parts = [_line(entry, each, _amount_of(each)) for each in details]
        # What does not come to what was booked, as after a fee, is one line for a person.
        fits = {each.amount.currency for each in parts} == {whole.amount.currency}
        if fits and sum([each.amount.minor for each in parts]) == whole.amount.minor:
            yield from parts
        else:
            yield whole


def _amount_of(details: ET.Element) -> ET.Element | None:
    own = _at(details, "Amt")
    return own if own is not None else _at(details, "AmtDtls", "TxAmt", "Amt")


def _line(
    entry: ET.Element, details: ET.Element | None, amount: ET.Element | None
) -> StatementLine:
    direction = _text(details, "CdtDbtInd") or _text(entry, "CdtDbtInd")
    if direction not in ("CRDT", "DBIT"):
        raise ValidationError("CdtDbtInd", direction, "CRDT or DBIT")
    incoming = direction == "CRDT"
    other = "Dbtr" if incoming else "Cdtr"
    parties = _at(details, "RltdPties")
    # The newer versions say first whether the party is a bank.
    name = _text(parties, other, "Nm") or _text(parties, other, "Pty", "Nm")
    remittance = _at(details, "RmtInf")
    said = () if remittance is None else _all(remittance, "Ustrd")
    text = " ".join([(each.text or "").strip() for each in said])
    return StatementLine(
        _day(entry),
        _money(amount, negative=not incoming),
        name,
        compact_iban(_text(parties, f"{other}Acct", "Id", "IBAN")),
        text or _text(entry, "AddtlNtryInf"),
        _text(remittance, "Strd", "CdtrRefInf", "Ref"),
        _text(details, "Refs", "AcctSvcrRef") or _text(entry, "AcctSvcrRef"),
    )


def _day(entry: ET.Element) -> date:
    text = _text(entry, "BookgDt", "Dt") or _text(entry, "BookgDt", "DtTm")
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise ValidationError("BookgDt", text, "a day such as 2027-01-31") from None


def _money(amount: ET.Element | None, *, negative: bool) -> Money:
    text = "" if amount is None else (amount.text or "").strip()
    currency = "" if amount is None else amount.get("Ccy", "")
    if _AMOUNT.fullmatch(text) is None:
        raise ValidationError("Amt", text, "an amount without a sign, such as 29.00")
    money = Money.of(Decimal(text), currency)
    return -money if negative else money
