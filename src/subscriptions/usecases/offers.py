"""What is on offer: for an asked price, the version of the day or the customer's own price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from subscriptions import catalog
from subscriptions.catalog import PRICE, PRODUCT, Price
from subscriptions.errors import (
    CurrencyMismatch,
    InvalidTransition,
    NotAvailable,
    NotFound,
    UnknownReference,
    ValidationError,
)
from subscriptions.money import Money
from subscriptions.pricing import keeps_earlier
from subscriptions.usecases.flows import Flow, Get, GetMany, Having


def offered(
    ids: Iterable[str], *, on: date, customer: str | None, field: str = "items"
) -> Flow[tuple[Price, ...]]:
    """Return what a customer gets on a day where these prices are asked for, in their order.

    Law: each is the customer's own price, if there is one instead of any version of that asked for;
    else the version that was on offer on the day. So a backdated start gets the price of its time.

    Raises `UnknownReference` for an unknown id, `InvalidTransition` for a version that was
    superseded by then (the error names its successor), for one that was not offered yet, and for an
    archived one, and `ValidationError` for a price of another customer. `field` is the argument
    that they were named by.
    """
    try:
        asked = yield from GetMany(PRICE, tuple(ids))
    except NotFound as error:
        raise UnknownReference(field, error.id) from error
    private: tuple[Price, ...] = ()
    if asked and customer is not None:
        found = yield from Having(PRICE, "customer", customer)
        private = tuple([price for price in found if not price.archived])
    offers: list[Price] = []
    for price in asked:
        offer = yield from _offer(price, private, on, customer, field)
        if offer.archived:
            raise InvalidTransition(f"price {offer.id}", "archived", "subscribe")
        offers.append(offer)
    return tuple(offers)


def check_meters(prices: Sequence[Price]) -> None:
    """Refuse two prices of one subscription for what one meter counts: only one can be charged."""
    metered = [price for price in prices if price.meter is not None]
    for price in metered:
        others = [each for each in metered if each.meter == price.meter]
        if len(others) > 1:
            expected = f"one price only for what meter {price.meter} counts"
            raise ValidationError("items", others[-1].id, expected)


def check_together(prices: Iterable[Price], *, had: Iterable[Price] = ()) -> Flow[None]:
    """Refuse prices of products that may not be on one subscription; `had` is what was on it.

    Raises `NotAvailable`.
    """
    before, after = ({price.product for price in each} for each in (had, prices))
    found = yield from GetMany(PRODUCT, tuple(sorted(before | after)))
    try:
        catalog.check_availability(
            [product for product in found if product.id in after],
            had=[product for product in found if product.id in before],
        )
    except NotAvailable as error:
        others = yield from GetMany(PRODUCT, error.others)
        names = tuple([product.name for product in others])
        raise NotAvailable(error.product, error.rule, error.others, names) from None


def _offer(
    price: Price, private: Sequence[Price], on: date, customer: str | None, field: str
) -> Flow[Price]:
    if price.customer is not None:
        if price.customer != customer:
            raise ValidationError(field, price.id, "a price for all, or of this customer")
        return price
    # The chain is read only where it can matter: most prices have one version for everyone.
    if any(own.product == price.product for own in private):
        own = overriding((yield from chain_of(price)), private)
        if own:
            return own[-1]
    if price.superseded_on is not None and price.superseded_on <= on:
        state = f"superseded by {price.superseded_by} since {price.superseded_on}"
        raise InvalidTransition(f"price {price.id}", state, "subscribe")
    if price.valid_from is None or price.valid_from <= on:
        return price
    then = catalog.version_on((yield from chain_of(price)), on)
    if then is None:
        state = f"offered from {price.valid_from} on"
        raise InvalidTransition(f"price {price.id}", state, "subscribe")
    return then


def chain_of(price: Price) -> Flow[tuple[Price, ...]]:
    """Return all versions of a price, oldest first."""
    versions = [price]
    while versions[0].supersedes is not None:
        versions.insert(0, (yield from Get(PRICE, versions[0].supersedes)))
    while versions[-1].superseded_by is not None:
        versions.append((yield from Get(PRICE, versions[-1].superseded_by)))
    return tuple(versions)


def overriding(chain: Sequence[Price], private: Sequence[Price]) -> tuple[Price, ...]:
    """Return the private prices that stand instead of any version of one price."""
    ids = {price.id for price in chain}
    return tuple([price for price in private if price.overrides in ids])


def check_recurring(field: str, prices: Iterable[Price]) -> None:
    """Raise `ValidationError` for a price that is charged once, where only recurring ones go."""
    for price in prices:
        if price.every is None:
            raise ValidationError(field, price.id, "recurring prices; this one is charged once")


def check_threshold(threshold: Money | None, prices: Iterable[Price]) -> None:
    """Refuse to bill usage at a threshold where that would change what it costs.

    Raises `ValidationError` for a threshold that is not above zero and for a metered price that
    depends on the total of the period, `CurrencyMismatch` for another currency.
    """
    if threshold is None:
        return
    given: object = threshold
    if not isinstance(given, Money) or threshold.minor <= 0:
        raise ValidationError("threshold", threshold, "a Money above zero")
    for price in prices:
        if price.currency != threshold.currency:
            raise CurrencyMismatch(price.currency.code, threshold.currency.code)
        models = (price.model, *[phase.model for phase in price.introductory])
        if price.meter is not None and not all(keeps_earlier(model) for model in models):
            expected = f"prices that do not depend on the total, unlike {price.id}"
            raise ValidationError("threshold", threshold, expected)
