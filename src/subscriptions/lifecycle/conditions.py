"""What a change depends on besides the items: when it counts, how it is prorated, what was paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from attrs import field

from subscriptions.billing_cycles import local_date
from subscriptions.catalog import Price
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import InvoiceId, PriceId
from subscriptions.invoices import LineRef
from subscriptions.lifecycle.charges import UsageOf
from subscriptions.lifecycle.subscription import Active, Subscription
from subscriptions.proration import ChangeDay, Credit, Mode, Proration, ProrationUnit
from subscriptions.taxes import TaxRate, TaxTreatment


@frozen
class PaidShare:
    """How much of an invoice is paid: by money and by balance, of its total."""

    paid_minor: int
    total_minor: int


@frozen
class Conditions:
    """What a change depends on besides the items: when, how, at which rate of tax.

    `usage` is what metered items used so far, by item number; `paid` what was paid of the invoices
    of debits, needed where credits are capped by that, and of those that are void. `treatments` are
    the taxes of the prices that are not just taxed at `rate`. `credited` is what credit notes took
    off the lines of debits, which is not given back again. Usage is recorded until `now`, where
    that is after `at`.
    """

    at: datetime
    policy: Proration
    rate: TaxRate
    prices: Mapping[str, Price]
    usage: Mapping[int, Sequence[UsageOf]]
    paid: Mapping[InvoiceId, PaidShare]
    treatments: Mapping[str, TaxTreatment] = field(factory=dict[str, TaxTreatment])
    credited: Mapping[LineRef, int] = field(factory=dict[LineRef, int])
    now: datetime | None = None

    def treatment_of(self, price: PriceId) -> TaxTreatment:
        """Return how what is charged for a price is taxed."""
        found = self.treatments.get(price)
        return TaxTreatment((self.rate,)) if found is None else found

    @property
    def charges(self) -> bool:
        """Whether a part of a period is charged for at all."""
        return self.policy.mode is not Mode.NONE

    @property
    def credits(self) -> bool:
        """Whether what was charged and is not used is given back."""
        return self.charges and self.policy.credit is Credit.UNUSED


def change_day(subscription: Subscription, conditions: Conditions) -> date:
    """Return the first day that a change counts for."""
    day = local_date(conditions.at, subscription.zone)
    policy = conditions.policy
    if policy.unit is not ProrationUnit.SECOND and policy.change_day is ChangeDay.OLD:
        day += timedelta(days=1)
    contract = subscription.contract
    if isinstance(contract, Active) and day < contract.since:
        raise ValidationError("at", conditions.at, f"not before it began, on {contract.since}")
    return day
