"""The order in which grants pay an invoice, and how much of it each may pay.

Lower priority first, then what expires earlier, then what was granted earlier. A grant pays at most
what is left of it, what is still owed, and what the lines of its scope come to with their tax, less
what other grants paid of the same lines. The customer's balance pays for an invoice as a whole and
for no line: it leaves less to pay, but narrows no scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from subscriptions.frozen import frozen
from subscriptions.grants.grant import Grant
from subscriptions.ids import PriceId, ProductId, SubscriptionId
from subscriptions.money import Currency


@frozen
class Payable:
    """A line as grants see it: what it comes to with its tax, and what scopes ask for."""

    gross_minor: int
    product: ProductId | None = None
    price: PriceId | None = None
    subscription: SubscriptionId | None = None
    metered: bool = False

    def within(self, grant: Grant) -> bool:
        """Return whether a grant may pay it."""
        return grant.scope.covers(self.product, self.price, self.subscription, metered=self.metered)


def burn(
    grants: Iterable[Grant],
    payables: Sequence[Payable],
    owed_minor: int,
    *,
    currency: Currency,
    at: datetime,
) -> tuple[tuple[Grant, int], ...]:
    """Return what each grant pays of an invoice that becomes final at `at`, in minor units.

    Law: the sum is at most what is owed; no grant pays twice, none more than is left of it, and all
    together of no set of lines more than it comes to. A reduction makes its lines come to less.

    >>> from subscriptions.money import EUR
    >>> from subscriptions.testing.builders import AT, a_grant
    >>> from subscriptions.grants import Scope
    >>> metered = a_grant("grn_2", left_minor=500, scope=Scope(metered=True), priority=1)
    >>> lines = [Payable(2000), Payable(300, metered=True)]
    >>> paid = burn([a_grant("grn_1", left_minor=1000), metered], lines, 2300, currency=EUR, at=AT)
    >>> [(grant.id, minor) for grant, minor in paid]
    [('grn_2', 300), ('grn_1', 1000)]
    """
    usable = [each for each in grants if each.currency == currency and each.pays_at(at)]
    usable.sort(key=_turn)
    within = [
        [place for place, line in enumerate(payables) if line.within(grant)] for grant in usable
    ]
    left = [line.gross_minor for line in payables]
    paid: list[tuple[Grant, int]] = []
    for turn, grant in enumerate(usable):
        places = within[turn]
        minor = min(grant.left_minor, owed_minor, sum([left[place] for place in places]))
        if minor <= 0:
            continue
        paid.append((grant, minor))
        owed_minor -= minor
        # First what the fewest of the later grants may pay: it would be of use to nobody else.
        later = within[turn + 1 :]
        wanted = {place: sum([place in others for others in later]) for place in places}
        for place in sorted(places, key=wanted.__getitem__):
            taken = min(minor, max(left[place], 0))
            left[place] -= taken
            minor -= taken
    return tuple(paid)


def _turn(grant: Grant) -> tuple[object, ...]:
    never = grant.expires_at is None
    return (
        grant.priority,
        never,
        grant.created_at if grant.expires_at is None else grant.expires_at,
        grant.created_at,
        grant.id,
    )
