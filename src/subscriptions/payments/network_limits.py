"""How often a declined card may be tried again: the networks' limits as dated data, and ours.

Decided here: whether one more attempt on a method is within all limits of its day, and if not, when
it will be. Never here: whether it is worth it. The networks count the declines of one card at one
merchant, and charge for each attempt beyond; a limit of ours is for every method, whatever its
network says. Successful charges count for nothing, nor does what never reached a bank.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from subscriptions.frozen import frozen
from subscriptions.ids import PaymentMethodId
from subscriptions.payments.payment import Declined, Payment


@frozen
class AttemptLimit:
    """At most so many declined attempts on one method within a window, on the days of its validity.

    `network` is the brand of the card, or None for every method; `source` says who says so.
    """

    network: str | None
    declines_max: int
    window: timedelta
    valid_from: date
    valid_until: date | None
    source: str


LIMITS: Final = (
    AttemptLimit(None, 20, timedelta(days=30), date.min, None, "the default of this library"),
    AttemptLimit(None, 10, timedelta(hours=24), date.min, None, "the default of this library"),
    # Categories 2 to 4 of Visa's declines; those of category 1 are hard and never tried again. The
    # first decline is not a reattempt.
    AttemptLimit(
        "visa",
        16,
        timedelta(days=30),
        date(2021, 4, 1),
        date(2025, 5, 24),
        "https://developers.getevolved.com/enterprise/docs/visas-processing-integrity-fee-program",
    ),
    AttemptLimit(
        "visa",
        21,
        timedelta(days=30),
        date(2025, 5, 25),
        None,
        "https://docs.cielo.com.br/ecommerce-cielo-en/changelog/"
        "new-limit-for-visa-retries-starting-may-25-2025",
    ),
    AttemptLimit(
        "mastercard",
        10,
        timedelta(hours=24),
        date(2022, 10, 1),
        None,
        "https://retries.com/guides/transaction-processing-excellence",
    ),
    AttemptLimit(
        "mastercard",
        35,
        timedelta(days=30),
        date(2022, 10, 1),
        None,
        "https://retries.com/guides/transaction-processing-excellence",
    ),
)
"""What was in force when this was written; read on 2026-11-22."""


@frozen
class TooOften:
    """A method was declined so often that it must rest until `until`; `limit` says who says so."""

    until: datetime
    limit: AttemptLimit


def may_attempt(
    history: Iterable[Payment],
    method: PaymentMethodId,
    *,
    brand: str | None,
    at: datetime,
    limits: Iterable[AttemptLimit] = LIMITS,
) -> TooOften | None:
    """Return None if one more attempt on a method is within all limits; else until when it is not.

    `history` is any payments, of which those count that were declined with this method, or may be
    yet. The limits of a day are those of its date in UTC.

    >>> from datetime import UTC, datetime
    >>> may_attempt([], PaymentMethodId("pm_1"), brand="visa", at=datetime(2027, 1, 1, tzinfo=UTC))
    """
    declined = sorted(
        payment.intended_at
        for payment in history
        # What is open may be declined any moment, so it counts as if it were.
        if payment.method == method and (payment.live or isinstance(payment.state, Declined))
    )
    found: TooOften | None = None
    for limit in limits:
        if not _applies(limit, brand, at.date()):
            continue
        within = [each for each in declined if each > at - limit.window]
        if len(within) < limit.declines_max:
            continue
        # One more is possible once so many have gone out of the window that there is room.
        until = within[-limit.declines_max] + limit.window
        if found is None or until > found.until:
            found = TooOften(until, limit)
    return found


def _applies(limit: AttemptLimit, brand: str | None, on: date) -> bool:
    if limit.network is not None and (brand is None or brand.lower() != limit.network):
        return False
    return limit.valid_from <= on and (limit.valid_until is None or on <= limit.valid_until)
