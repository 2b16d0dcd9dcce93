"""Tax ids: how one is written, and what is known of it on the day of an invoice.

Decided here: whether a VAT id of the EU is well formed, what the answer of a validator makes of the
evidence that is kept, when to ask again, and whether that evidence holds. Never here: asking (the
port is in `tax_services`), or what a tax id means for the tax.

The rule: silence is no answer. A validator that is down never makes an id invalid and never stops
an invoice. What it last confirmed holds for a time; after that nothing is known any more, and what
is not known is taxed.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import StrEnum
from importlib.util import find_spec
from typing import Final, TypeAlias, assert_never

from attrs import evolve, field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.records import aware, plain_text

EU_PREFIXES: Final = frozenset(
    {
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU"),
        *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
        "XI",  # Northern Ireland, for goods
    }
)
"""What VAT ids of the EU begin with; the one of Greece is EL, though its country is GR."""

_SEPARATORS = re.compile(r"[\s.\-/]")
_PREFIX = re.compile(r"[A-Z]{2}")
_EU_NUMBER = re.compile(r"[0-9A-Z+*]{2,12}")

MAX_AGE: Final = timedelta(days=90)
"""How long a confirmation holds. Recapitulative statements are filed for a month or a quarter, so
no invoice rests on an answer that is older than the longest period it is reported for."""

ASK_AGAIN_AFTER: Final = timedelta(days=30)
"""When a tax id is asked about again: three times within `MAX_AGE`, so an outage of two months
changes nothing."""

RETRIES: Final = (
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
)
"""How long to wait after a validator could not say; the last one repeats without end."""


class Standing(StrEnum):
    """What is known of a tax id at an instant."""

    VALID = "valid"
    """A validator confirmed it, and that holds still."""
    INVALID = "invalid"
    """A validator said that there is no such tax id."""
    UNKNOWN = "unknown"
    """Nobody has said, or what was said is too old: charge tax, and flag it."""


@frozen
class TaxIdPolicy:
    """How long a confirmation holds, and when a tax id is asked about again.

    Raises `ValidationError` unless the times are above zero and an id is asked about again before
    its confirmation has run out.
    """

    max_age: timedelta = MAX_AGE
    again_after: timedelta = ASK_AGAIN_AFTER
    retries: tuple[timedelta, ...] = RETRIES

    def __attrs_post_init__(self) -> None:
        for wait in (self.max_age, self.again_after, *self.retries):
            given: object = wait
            if not isinstance(given, timedelta) or given <= timedelta():
                raise ValidationError("tax_id_policy", given, "timedeltas above zero")
        if not self.retries:
            raise ValidationError("tax_id_policy.retries", self.retries, "at least one timedelta")
        if self.again_after > self.max_age:
            raise ValidationError(
                "tax_id_policy.again_after", self.again_after, f"at most max_age, {self.max_age}"
            )


DEFAULT_POLICY: Final = TaxIdPolicy()
"""A confirmation holds for 90 days and is renewed every 30."""


@frozen
class Valid:
    """The validator knows the tax id; `request_id` is its receipt, a proof for the tax office."""

    request_id: str = ""
    name: str = ""
    address: str = ""


@frozen
class Invalid:
    """The validator is sure that there is no such tax id."""

    request_id: str = ""


@frozen
class Unavailable:
    """The validator could not say: it, or the register behind it, is down or refuses to answer."""

    reason: str


TaxIdAnswer: TypeAlias = Valid | Invalid | Unavailable


@frozen
class TaxIdCheck:
    """What validators have said of one tax id: the evidence behind an invoice without tax.

    `valid` is the latest definite answer, None if there never was one: an outage changes neither it
    nor the receipt. `at` is when the latest question was asked, `last_valid_at` when the latest
    confirmation came. `tries` counts the questions since that nobody could answer, `reason` says
    why. `source` is who said it.
    """

    tax_id: str
    valid: bool | None
    at: datetime
    last_valid_at: datetime | None = None
    request_id: str = ""
    name: str = field(default="", repr=False)
    address: str = field(default="", repr=False)
    source: str = ""
    tries: int = 0
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        plain_text("tax_id_check.tax_id", self.tax_id, length_max=40)
        aware("tax_id_check.at", self.at)
        if self.last_valid_at is not None:
            aware("tax_id_check.last_valid_at", self.last_valid_at)
        if self.valid and self.last_valid_at is None:
            raise ValidationError("tax_id_check.last_valid_at", None, "when it was confirmed")


def valid_on(
    check: TaxIdCheck | None, tax_id: str, at: datetime, max_age: timedelta = MAX_AGE
) -> Standing:
    """Return what the evidence says of a tax id at an instant.

    Law: only a validator's own "no" makes it invalid. The latest confirmation holds until it is
    older than `max_age`, whatever failed since. One that came after `at` holds as well: a run that
    catches up asks today about a bill of last week. Evidence on another tax id says nothing.

    >>> from datetime import UTC
    >>> asked = datetime(2027, 1, 1, tzinfo=UTC)
    >>> check = answered(None, "DE136695976", Valid("WAPIAAAA"), at=asked)
    >>> down = answered(check, "DE136695976", Unavailable("MS_UNAVAILABLE"),
    ...                 at=asked + timedelta(days=30))
    >>> valid_on(down, "DE136695976", asked + timedelta(days=90)).value
    'valid'
    >>> valid_on(down, "DE136695976", asked + timedelta(days=91)).value
    'unknown'
    """
    if check is None or check.valid is None or check.tax_id != normalized(tax_id):
        return Standing.UNKNOWN
    if not check.valid:
        return Standing.INVALID
    assert check.last_valid_at is not None
    return Standing.VALID if at - check.last_valid_at <= max_age else Standing.UNKNOWN


def answered(
    check: TaxIdCheck | None, tax_id: str, answer: TaxIdAnswer, *, at: datetime, source: str = ""
) -> TaxIdCheck:
    """Return the evidence after an answer; what was known of another tax id is forgotten.

    An answer of an earlier question than the latest one still counts: it is what somebody said.
    """
    tax_id = normalized(tax_id)
    known = check if check is not None and check.tax_id == tax_id else None
    match answer:
        case Valid():
            return TaxIdCheck(
                tax_id,
                valid=True,
                at=at,
                last_valid_at=at,
                request_id=answer.request_id,
                name=answer.name,
                address=answer.address,
                source=source,
            )
        case Invalid():
            last = None if known is None else known.last_valid_at
            return TaxIdCheck(
                tax_id,
                valid=False,
                at=at,
                last_valid_at=last,
                request_id=answer.request_id,
                source=source,
            )
        case Unavailable():
            before = known or TaxIdCheck(tax_id, valid=None, at=at, source=source)
            return evolve(before, at=at, tries=before.tries + 1, reason=answer.reason[:200])
        case other:
            assert_never(other)


def last_answer_at(check: TaxIdCheck | None, tax_id: str) -> datetime | None:
    """Return when the latest definite answer about a tax id came, as far as that is known."""
    if check is None or check.tax_id != normalized(tax_id):
        return None
    return check.last_valid_at if check.tries else check.at


def ask_again_at(check: TaxIdCheck, policy: TaxIdPolicy = DEFAULT_POLICY) -> datetime:
    """Return when to ask again: soon after an outage, else when the policy says.

    >>> from datetime import UTC
    >>> check = answered(None, "FR40303265045", Unavailable("TIMEOUT"),
    ...                  at=datetime(2027, 1, 1, tzinfo=UTC))
    >>> ask_again_at(check).isoformat()
    '2027-01-01T00:05:00+00:00'
    """
    if not check.tries:
        return check.at + policy.again_after
    return check.at + policy.retries[min(check.tries, len(policy.retries)) - 1]


def normalized(tax_id: str) -> str:
    """Return a tax id in its one spelling: capitals without spaces, dots, dashes and slashes.

    >>> normalized("de 136.695-976"), normalized("GR 094259216")
    ('DE136695976', 'EL094259216')
    """
    text = _SEPARATORS.sub("", tax_id).upper()
    return f"EL{text[2:]}" if text.startswith("GR") else text


def is_covered(tax_id: str, prefixes: AbstractSet[str]) -> bool:
    """Return whether a tax id begins with one of the prefixes that a validator can answer for."""
    return bool(prefixes) and normalized(tax_id)[:2] in prefixes


def read_tax_id(tax_id: str, country: str = "") -> str:
    """Return a well-formed tax id in its one spelling, or raise `ValidationError`.

    What begins as a VAT id of the EU must be one: with the extra `tax-ids` by the format and the
    check digits of its country, without it by its characters alone. A customer in the EU must give
    one with a prefix of two letters. Other tax ids are as their countries like them and stay as
    they are; an empty one is none.

    >>> read_tax_id("de 136 695 976")
    'DE136695976'
    >>> read_tax_id("12-3456789", "US")
    '12-3456789'
    """
    if not plain_text("tax_id", tax_id, length_max=40, empty=True).strip():
        return ""
    text = normalized(tax_id)
    if text[:2] not in EU_PREFIXES:
        if ("EL" if country == "GR" else country) in EU_PREFIXES and not _PREFIX.match(text):
            prefix = "EL" if country == "GR" else country
            raise ValidationError(
                "tax_id", tax_id, f"a VAT id with its country prefix, such as {prefix}…"
            )
        return tax_id
    if not _EU_NUMBER.fullmatch(text[2:]):
        raise ValidationError(
            "tax_id", tax_id, f"{text[:2]} and 2 to 12 digits or letters, as its country gives them"
        )
    if find_spec("stdnum") is not None and not _has_check_digits(text):
        raise ValidationError(
            "tax_id", tax_id, f"the format and the check digits of a VAT id of {text[:2]}"
        )
    return text


def _has_check_digits(text: str) -> bool:
    # Not at the top: it is an extra, and no host pays for it who gives no tax id.
    from stdnum.eu import vat  # noqa: PLC0415

    return vat.is_valid(text)
