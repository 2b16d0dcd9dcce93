"""Lines of one-off invoices: worded by the host, or prices that are charged once.

They are read strictly, and priced as a line of an invoice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeAlias

from subscriptions import pricing
from subscriptions.catalog import Price
from subscriptions.customers import Customer
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import SubscriptionId
from subscriptions.invoices import Charge, LineKind
from subscriptions.money import Currency, Money
from subscriptions.pricing.numbers import read_quantity
from subscriptions.records import plain_text
from subscriptions.taxes import TaxBehavior, TaxRate, TaxTreatment, check_category, check_rates
from subscriptions.usecases.flows import Context, Flow
from subscriptions.usecases.offers import offered
from subscriptions.usecases.price_arguments import read_several


@frozen
class OneOff:
    """A line of a one-off invoice: a text and an amount for each unit, net unless inclusive.

    The amount may be negative for a reduction; the invoice's total may not. It is taxed as the
    customer is for what is sold under the `tax_category`, unless `tax_rates` are given: then by
    those, whoever he is.
    """

    description: str
    amount: Money
    quantity: int | Decimal = 1
    tax_behavior: TaxBehavior = TaxBehavior.EXCLUSIVE
    tax_category: str = "standard"
    tax_rates: tuple[TaxRate, ...] = ()


Asked: TypeAlias = OneOff | str | tuple[str, int | Decimal]
"""A line, or a price that is charged once by its id, with how many of it if not one."""


def read_asked(lines: Iterable[Asked]) -> tuple[OneOff | tuple[str, int | Decimal], ...]:
    """Return what is to be invoiced; raises `ValidationError` for none and for a wrong value."""
    read: list[OneOff | tuple[str, int | Decimal]] = []
    for line in read_several("lines", lines):
        match line:
            case str(price):
                read.append((price, 1))
            case (str(price), int() | Decimal() as quantity):
                read_quantity(quantity)
                read.append((price, quantity))
            case (str(), float()):
                raise TypeError(f"quantity: pass an int or a Decimal, not a float: {line!r}")
            case _:
                amount_of(line)
                read.append(line)
    if not read:
        raise ValidationError("lines", (), "at least one line")
    return tuple(read)


def charges_asked(
    asked: Sequence[OneOff | tuple[str, int | Decimal]], owner: Customer, context: Context
) -> Flow[tuple[Sequence[Charge], Currency]]:
    """Return what is asked for as charges in its one currency; prices are those on offer today.

    Raises `UnknownReference` for an unknown price, `InvalidTransition` for one that is not on
    offer, and `ValidationError` for one that recurs, and for two currencies.
    """
    today = context.today(context.seller_of(owner).zone)
    ids = tuple([line[0] for line in asked if not isinstance(line, OneOff)])
    offers = yield from offered(ids, on=today, customer=owner.id, field="lines")
    found = dict(zip(ids, offers, strict=True))
    charged: list[Charge] = []
    currencies: list[Currency] = []
    for line in asked:
        if isinstance(line, OneOff):
            charged.append(charge(line, amount_of(line), owner, context))
            currencies.append(line.amount.currency)
            continue
        price = found[line[0]]
        if price.every is not None:
            expected = f"a price that is charged once; this one recurs every {price.every}"
            raise ValidationError("lines", price.id, expected)
        treatment = context.tax_for(owner, today, price.tax_category)
        charged.append(charge_of(price, line[1], treatment))
        currencies.append(price.currency)
    for currency in currencies:
        if currency != currencies[0]:
            raise ValidationError("lines", currency, f"amounts in {currencies[0]}")
    return charged, currencies[0]


def charge_of(
    price: Price,
    quantity: int | Decimal,
    treatment: TaxTreatment,
    subscription: SubscriptionId | None = None,
) -> Charge:
    """Return a price that is charged once as a charge."""
    return Charge(
        price.name,
        pricing.amount_minor(price.model, quantity, price.currency.exponent),
        treatment.rate,
        price.tax_behavior,
        quantity,
        pricing.printed_unit_price(price.model, quantity),
        price=price.id,
        kind=LineKind.ONE_OFF,
        product=price.product,
        subscription=subscription,
        more_rates=treatment.more_rates,
        tax_flag=treatment.flag,
    )


def amount_of(line: OneOff) -> int:
    """Return what a line comes to in minor units; raises `ValidationError` for a wrong value."""
    given: object = line
    if not isinstance(given, OneOff):
        raise ValidationError("lines", given, "a OneOff, such as OneOff('Work', amount)")
    plain_text("description", line.description)
    if not isinstance(line.amount, Money):
        raise ValidationError("amount", line.amount, "a Money, such as Money.of('5.00', 'EUR')")
    check_category("tax_category", line.tax_category)
    check_rates(line.tax_rates, name="tax_rates")
    behavior: object = line.tax_behavior
    if not isinstance(behavior, TaxBehavior):
        raise ValidationError("tax_behavior", behavior, "a TaxBehavior")
    magnitude = pricing.PerUnit(abs(line.amount).amount)
    amount_minor = pricing.amount_minor(magnitude, line.quantity, line.amount.currency.exponent)
    return amount_minor if line.amount.minor >= 0 else -amount_minor


def charge(line: OneOff, amount_minor: int, owner: Customer, context: Context) -> Charge:
    """Return a line as a charge, taxed as it is for the customer on the day of the work."""
    if line.tax_rates:
        treatment = TaxTreatment(line.tax_rates)
    else:
        today = context.today(context.seller_of(owner).zone)
        treatment = context.tax_for(owner, today, line.tax_category)
    return Charge(
        line.description,
        amount_minor,
        treatment.rate,
        line.tax_behavior,
        line.quantity,
        line.amount.amount,
        kind=LineKind.ONE_OFF,
        more_rates=treatment.more_rates,
        tax_flag=treatment.flag,
        tax_category="" if line.tax_rates else line.tax_category,
    )
