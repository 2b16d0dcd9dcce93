"""Whatever a host passes by mistake is refused with the field's name, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from attrs import frozen

from subscriptions import (
    Address,
    Billing,
    DomainError,
    DunningPolicy,
    Duplicate,
    Flat,
    Interval,
    InvalidTransition,
    MemoryStorage,
    Money,
    NotFound,
    OneOff,
    Period,
    Seller,
    StorageError,
    TaxRate,
    TaxRates,
    UnknownReference,
    ValidationError,
    prorate,
)
from subscriptions.catalog import Price
from subscriptions.customers import Customer
from subscriptions.dunning import DunningCase
from subscriptions.errors import CurrencyMismatch, IdempotencyMismatch
from subscriptions.events import KINDS
from subscriptions.gateways.fake import FakeGateway
from subscriptions.grants import Rollover, Scope
from subscriptions.ids import PriceId
from subscriptions.invoices import Invoice
from subscriptions.lifecycle import Subscription
from subscriptions.payment_methods import PaymentMethod
from subscriptions.records import Record
from subscriptions.storage import Query
from subscriptions.testing import TestClock, counting_ids

MONTHLY = Interval.months(1)
NAIVE = datetime(2027, 1, 1)  # noqa: DTZ001 - that is the mistake
BOOL = True  # an int to Python, and no number to a bill
NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
JANUARY = Period(date(2027, 1, 1), date(2027, 2, 1))


@frozen
class World:
    """A billing in which something of everything exists."""

    storage: MemoryStorage
    gateway: FakeGateway
    billing: Billing
    ada: Customer
    bob: Customer
    card: PaymentMethod
    pro: Price
    dollars: Price
    once: Price
    archived: Price
    running: Subscription
    ended: Subscription
    paid: Invoice
    owed: Invoice
    draft: Invoice
    void: Invoice
    case: DunningCase

    def state(self) -> list[tuple[Record, ...]]:
        """Return every record and every event there is."""
        return [self.storage.find(Query(kind, "default", limit=1000)).items for kind in KINDS]


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


@pytest.fixture
def world() -> World:
    storage, gateway = MemoryStorage(), FakeGateway()
    billing = Billing(
        storage=storage,
        gateways={"card": gateway},
        taxes=TaxRates({"DE": TaxRate("19"), "GB": TaxRate("20")}),
        clock=TestClock(date(2027, 1, 1)),
        ids=counting_ids(),
    )
    ada = billing.customers.create(
        name="Ada", country="DE", external_id="crm-1", number="A-1", idempotency_key="made-ada"
    )
    bob = billing.customers.create(name="Bob", country="DE")
    eve = billing.customers.create(name="Eve", country="DE")
    card = billing.payment_methods.attach(ada.id, "tok_visa")
    billing.payment_methods.attach(eve.id, "tok_insufficient_funds")
    add = billing.catalog.add_price
    pro = add("Pro", eur("29.00"), every=MONTHLY)
    archived = add("Old", eur("19.00"), every=MONTHLY)
    billing.catalog.archive(archived.id)
    running = billing.subscriptions.create(ada.id, [pro.id], external_id="sub-1")
    ended = billing.subscriptions.create(ada.id, [pro.id])
    billing.subscriptions.cancel(ended.id, when="now")
    work = [OneOff("Work", eur("10.00"))]
    owed = billing.invoices.create_one_off(bob.id, work)
    draft = billing.invoices.create_one_off(bob.id, work, finalize=False)
    void = billing.invoices.create_one_off(bob.id, work)
    billing.invoices.void(void.id, reason="a mistake")
    billing.payments.record(bob.id, Money.of("1.00", "USD"), reference="E2E-1")
    billing.invoices.create_one_off(eve.id, work)
    (case,) = billing.dunning.list()
    (paid, *_) = billing.invoices.list(customer=ada.id)
    return World(
        storage,
        gateway,
        billing,
        ada,
        bob,
        card,
        pro,
        add("Dollars", Money.of("29.00", "USD"), every=MONTHLY),
        add("Set-up", eur("99.00")),
        billing.catalog.get_price(archived.id),
        running,
        ended,
        paid,
        owed,
        draft,
        billing.invoices.get(void.id),
        case,
    )


@frozen
class Mistake:
    """What a host does wrong, which error says so, and of which field (None: it has none)."""

    do: Callable[[World], object]
    error: type[Exception]
    field: str | None = None


NO_FLAG: Any = "no"
NO_TEXT: Any = 7


def customer(**given: Any) -> Callable[[World], object]:  # noqa: ANN401 - wrong on purpose
    wrong: dict[str, Any] = {"name": "New", **given}
    return lambda w: w.billing.customers.create(**wrong)


def edit(**given: Any) -> Callable[[World], object]:  # noqa: ANN401
    return lambda w: w.billing.customers.update(w.ada.id, **given)


def subscribe(**given: Any) -> Callable[[World], object]:  # noqa: ANN401
    return lambda w: w.billing.subscriptions.create(w.ada.id, [w.pro.id], **given)


def change(**given: Any) -> Callable[[World], object]:  # noqa: ANN401
    return lambda w: w.billing.subscriptions.change(w.running.id, **given)


def item(*given: Any) -> Callable[[World], object]:  # noqa: ANN401
    # It is to be refused now, though it would be billed in a year.
    return lambda w: w.billing.subscriptions.create(
        w.ada.id, [(w.pro.id, *given)], start=date(2028, 1, 1)
    )


def price(amount: Any, **given: Any) -> Callable[[World], object]:  # noqa: ANN401
    return lambda w: w.billing.catalog.add_price("New", amount, **given)


def one_off(*lines: Any, **given: Any) -> Callable[[World], object]:  # noqa: ANN401
    return lambda w: w.billing.invoices.create_one_off(w.bob.id, lines, **given)


def work(**given: Any) -> OneOff:  # noqa: ANN401
    return OneOff("Work", eur("1.00"), **given)


def credit(*, draft: bool = False, **given: Any) -> Callable[[World], object]:  # noqa: ANN401
    wrong: dict[str, Any] = {"reason": "sent back", **given}
    return lambda w: w.billing.credit_notes.create((w.draft if draft else w.owed).id, **wrong)


def grant(**given: Any) -> Callable[[World], object]:  # noqa: ANN401
    wrong: dict[str, Any] = {"amount": eur("5.00"), **given}
    return lambda w: w.billing.balance.grant(w.ada.id, **wrong)


def attach(token: Any, **given: Any) -> Callable[[World], object]:  # noqa: ANN401
    return lambda w: w.billing.payment_methods.attach(w.ada.id, token, **given)


def record(amount: Any, **given: Any) -> Callable[[World], object]:  # noqa: ANN401
    return lambda w: w.billing.payments.record(w.bob.id, amount, **given)


V = ValidationError

MISTAKES: dict[str, Mistake] = {
    # ---- customers
    "no name": Mistake(customer(name=""), V, "name"),
    "a blank name": Mistake(customer(name="  "), V, "name"),
    "a name that is no text": Mistake(customer(name=7), V, "name"),
    "a name with a control character": Mistake(customer(name="A\x00da"), V, "name"),
    "a name with half a character": Mistake(customer(name="A\ud800da"), V, "name"),
    "a name that is too long": Mistake(customer(name="x" * 201), V, "name"),
    "no e-mail": Mistake(customer(email=""), V, "email"),
    "no address of e-mail": Mistake(customer(email="ada"), V, "email"),
    "two e-mails": Mistake(customer(email="a@b.com, c@d.com"), V, "email"),
    "a header in the e-mail": Mistake(customer(email="a@b.com\nBcc: c@d.com"), V, "email"),
    "a country in small letters": Mistake(customer(country="de"), V, "address.country"),
    "a country by its name": Mistake(customer(country="Germany"), V, "address.country"),
    "None for a country": Mistake(customer(country=None), V, "address.country"),
    "two countries": Mistake(customer(country="DE", address=Address(country="GB")), V, "country"),
    "a language by its name": Mistake(customer(language="German"), V, "language"),
    "a language in capitals": Mistake(customer(language="DE"), V, "language"),
    "a zone that is none": Mistake(customer(zone="Berlin"), V, "zone"),
    "a zone that is a path": Mistake(customer(zone="../../etc/passwd"), V, "zone"),
    "tags as one text": Mistake(customer(tags="vip"), V, "tags"),
    "a tag with a space": Mistake(customer(tags=["very important"]), V, "tags"),
    "a tag that is empty": Mistake(customer(tags=[""]), V, "tags"),
    "a tag that is no text": Mistake(customer(tags=[7]), V, "tags"),
    "metadata that is no text": Mistake(customer(metadata={"age": 7}), V, "metadata[age]"),
    "metadata without a key": Mistake(customer(metadata={"": "x"}), V, "metadata"),
    "too much metadata": Mistake(customer(metadata={str(n): "" for n in range(51)}), V, "metadata"),
    "a number that is empty": Mistake(customer(number=""), V, "number"),
    "a taken number": Mistake(customer(number="A-1"), Duplicate, "customer.number"),
    "a taken external id": Mistake(
        customer(external_id="crm-1"), Duplicate, "customer.external_id"
    ),
    "a naive time": Mistake(customer(at=NAIVE), V, "at"),
    "a date for a time": Mistake(customer(at=date(2027, 1, 1)), V, "at"),
    "an edit to no name": Mistake(edit(name=""), V, "name"),
    "an edit to a taken number": Mistake(edit(number="000001"), Duplicate, "customer.number"),
    "an edit to a zone that is none": Mistake(edit(zone="Mars/Base"), V, "zone"),
    "an edit of nobody": Mistake(
        lambda w: w.billing.customers.update("cus_none", name="X"), NotFound
    ),
    "an address that is a text": Mistake(customer(address="Berlin"), V, "address"),
    "an edit to an address that is a text": Mistake(edit(address="Berlin"), V, "address"),
    "tags that are no list": Mistake(customer(tags=7), V, "tags"),
    "metadata that is a text": Mistake(customer(metadata="crm"), V, "metadata"),
    "a tag for nobody": Mistake(lambda w: w.billing.customers.tag("cus_none", "vip"), NotFound),
    "a tag that is two": Mistake(lambda w: w.billing.customers.tag(w.ada.id, "a,b"), V, "tags"),
    "an unknown customer": Mistake(lambda w: w.billing.customers.get("cus_none"), NotFound),
    # ---- payment methods
    "a card number": Mistake(attach("4242424242424242"), V, "token"),
    "a card number with spaces": Mistake(attach("4242 4242 4242 4242"), V, "token"),
    "a card number for a bank": Mistake(attach("5555555555554444", gateway="transfer"), V, "token"),
    "an unknown token": Mistake(attach("tok_gold"), V, "token"),
    "no token": Mistake(attach(""), V, "token"),
    "a default that is a text": Mistake(attach("tok_visa", default="yes"), V, "default"),
    "an unknown gateway": Mistake(attach("tok_visa", gateway="paypal"), V, "gateway"),
    "a method for nobody": Mistake(
        lambda w: w.billing.payment_methods.attach("cus_none", "tok_visa"),
        UnknownReference,
        "customer",
    ),
    "an unknown method": Mistake(
        lambda w: w.billing.payment_methods.set_default("pm_none"), NotFound
    ),
    "an unknown method to detach": Mistake(
        lambda w: w.billing.payment_methods.detach("pm_none"), NotFound
    ),
    # ---- the catalogue
    "a float for money": Mistake(price(29.0, every=MONTHLY), V, "amount"),
    "a text for money": Mistake(price("29.00", every=MONTHLY), V, "amount"),
    "a negative price": Mistake(price(eur("-1.00")), V, "amount"),
    "an interval that is a number": Mistake(price(eur("1.00"), every=1), V, "every"),
    "a model without a currency": Mistake(price(Flat("29.00")), V, "currency"),
    "a model with no currency": Mistake(price(Flat("29.00"), currency="XYZ"), V, "currency"),
    "a currency in small letters": Mistake(price(Flat("29.00"), currency="eur"), V, "currency"),
    "another currency": Mistake(price(eur("29.00"), currency="USD"), V, "currency"),
    "a tax behaviour that is none": Mistake(
        price(eur("1.00"), tax_behavior="net"), V, "tax_behavior"
    ),
    "a price without a name": Mistake(
        lambda w: w.billing.catalog.add_price("", eur("1.00")), V, "name"
    ),
    "a product that is there": Mistake(
        lambda w: w.billing.catalog.add_product("Pro"), Duplicate, "product.name"
    ),
    "a price archived twice": Mistake(
        lambda w: w.billing.catalog.archive(w.archived.id), InvalidTransition
    ),
    "an unknown price": Mistake(lambda w: w.billing.catalog.archive("price_none"), NotFound),
    # ---- subscriptions
    "a float for a quantity": Mistake(item(1.5), TypeError),
    "a bool for a quantity": Mistake(item(BOOL), V, "quantity"),
    "no quantity": Mistake(item(0), V, "quantity"),
    "a negative quantity": Mistake(item(-1), V, "quantity"),
    "not a number": Mistake(item(Decimal("NaN")), V, "quantity"),
    "an endless quantity": Mistake(item(Decimal("Infinity")), V, "quantity"),
    "a quantity of too many places": Mistake(item(Decimal("0.1234567890123")), V, "quantity"),
    "a text for a quantity": Mistake(item("3"), V, "items"),
    "items as one text": Mistake(
        lambda w: w.billing.subscriptions.create(w.ada.id, w.pro.id), V, "items"
    ),
    "quantities for items": Mistake(
        lambda w: w.billing.subscriptions.create(w.ada.id, {w.pro.id: 7}), V, "items"
    ),
    "no items": Mistake(lambda w: w.billing.subscriptions.create(w.ada.id, []), V, "items"),
    "additions as one text": Mistake(change(add="price_none"), V, "add"),
    "quantities for additions": Mistake(change(add={"price_none": 3}), V, "add"),
    "quantities for removals": Mistake(change(remove={"price_none": 3}), V, "remove"),
    "a swap that is a list": Mistake(change(swap=["price_none", "price_other"]), V, "swap"),
    "a swap that is a text": Mistake(change(swap="price_none"), V, "swap"),
    "quantities that are a list": Mistake(change(quantities=[("price_none", 3)]), V, "quantities"),
    "a quantity for all": Mistake(change(quantities=3), V, "quantities"),
    "an unknown item": Mistake(
        lambda w: w.billing.subscriptions.create(w.ada.id, ["price_none"]),
        UnknownReference,
        "items",
    ),
    "an archived item": Mistake(
        lambda w: w.billing.subscriptions.create(w.ada.id, [w.archived.id]), InvalidTransition
    ),
    "an item that is charged once": Mistake(
        lambda w: w.billing.subscriptions.create(w.ada.id, [w.once.id]), V, "items"
    ),
    "items of two currencies": Mistake(
        lambda w: w.billing.subscriptions.create(w.ada.id, [w.pro.id, w.dollars.id]),
        CurrencyMismatch,
    ),
    "a subscription for nobody": Mistake(
        lambda w: w.billing.subscriptions.create("cus_none", [w.pro.id]),
        UnknownReference,
        "customer",
    ),
    "a time for the start": Mistake(subscribe(start=NOON), V, "start"),
    "a text for the start": Mistake(subscribe(start="2027-01-01"), V, "start"),
    "a trial that ends at the start": Mistake(
        subscribe(start=date(2027, 2, 1), trial_until=date(2027, 2, 1)), V, "trial_until"
    ),
    "a trial that ends before the start": Mistake(
        subscribe(start=date(2027, 2, 1), trial_until=date(2027, 1, 15)), V, "trial_until"
    ),
    "a time for the trial": Mistake(subscribe(trial_until=NOON), V, "trial_until"),
    "an anchor that is not the start": Mistake(
        subscribe(start=date(2027, 2, 1), anchor=date(2027, 2, 15)), V, "anchor"
    ),
    "paid until no beginning of a period": Mistake(
        subscribe(anchor=date(2026, 1, 31), paid_until=date(2027, 2, 27)), V, "paid_until"
    ),
    "paid until before the anchor": Mistake(
        subscribe(anchor=date(2027, 6, 1), paid_until=date(2027, 2, 1)), V, None
    ),
    "a time for paid until": Mistake(subscribe(paid_until=NOON), V, "paid_until"),
    "a start in another century": Mistake(subscribe(start=date(1927, 1, 1)), V, "start"),
    "an external id that is a number": Mistake(subscribe(external_id=7), V, "external_id"),
    "terms that are a number": Mistake(subscribe(terms=12), V, "terms"),
    "a long stub by a text": Mistake(subscribe(long_stub="no"), V, "long_stub"),
    "a first payment by a text": Mistake(subscribe(require_payment="no"), V, "require_payment"),
    "a taken external id of a subscription": Mistake(
        subscribe(external_id="sub-1"), Duplicate, "subscription.external_id"
    ),
    "an end that is no day": Mistake(
        lambda w: w.billing.subscriptions.cancel(w.running.id, when="tomorrow"),  # type: ignore[arg-type]
        V,
        "when",
    ),
    "a time for the end": Mistake(
        lambda w: w.billing.subscriptions.cancel(w.running.id, when=NOON), V, "when"
    ),
    "an end before the start": Mistake(
        lambda w: w.billing.subscriptions.cancel(w.running.id, when=date(2026, 12, 31)), V, "when"
    ),
    "a reason with a control character": Mistake(
        lambda w: w.billing.subscriptions.cancel(w.running.id, reason="a\x00b"), V, "reason"
    ),
    "a second end": Mistake(
        lambda w: w.billing.subscriptions.cancel(w.ended.id), InvalidTransition
    ),
    "an extraordinary end by a text": Mistake(
        lambda w: w.billing.subscriptions.cancel(w.running.id, extraordinary="no"),  # type: ignore[arg-type]
        V,
        "extraordinary",
    ),
    "a switch that is a text": Mistake(
        lambda w: w.billing.subscriptions.pause(w.running.id, invoice="no"),  # type: ignore[arg-type]
        V,
        "invoice",
    ),
    "a pause before the start": Mistake(
        lambda w: w.billing.subscriptions.pause(w.running.id, at=NOON.replace(year=2026)), V, "at"
    ),
    "a plan that is a text": Mistake(
        lambda w: w.billing.commit("plan"),  # type: ignore[arg-type]
        V,
        "plan",
    ),
    "a second end now": Mistake(
        lambda w: w.billing.subscriptions.cancel(w.ended.id, when="now"), InvalidTransition
    ),
    "no cancellation to undo": Mistake(
        lambda w: w.billing.subscriptions.undo_cancel(w.running.id), InvalidTransition
    ),
    "an unknown subscription": Mistake(
        lambda w: w.billing.subscriptions.cancel("sub_none"), NotFound
    ),
    # ---- invoices
    "an invoice of nothing": Mistake(one_off(), V, "lines"),
    "a negative invoice": Mistake(one_off(OneOff("Credit", eur("-1.00"))), V, "lines"),
    "an invoice of two currencies": Mistake(
        one_off(OneOff("A", eur("1.00")), OneOff("B", Money.of("1.00", "USD"))), V, "lines"
    ),
    "a line without a text": Mistake(one_off(OneOff("", eur("1.00"))), V, "description"),
    "a line that is a number": Mistake(one_off(7), V, "lines"),
    "a line that is no price": Mistake(one_off("Work"), UnknownReference, "lines"),
    "half of a price on a line": Mistake(one_off(("Work", "half")), V, "lines"),
    "a draft by a text": Mistake(one_off(OneOff("A", eur("1.00")), finalize="no"), V, "finalize"),
    "a float on a line": Mistake(one_off(OneOff("A", 1.0)), V, "amount"),  # type: ignore[arg-type]
    "a float for the quantity of a line": Mistake(
        one_off(OneOff("A", eur("1.00"), 1.5)),  # type: ignore[arg-type]
        TypeError,
    ),
    "a negative quantity on a line": Mistake(one_off(OneOff("A", eur("1.00"), -1)), V, "quantity"),
    "an invoice at a naive time": Mistake(one_off(OneOff("A", eur("1.00")), at=NAIVE), V, "at"),
    "an invoice for nobody": Mistake(
        lambda w: w.billing.invoices.create_one_off("cus_none", [OneOff("A", eur("1.00"))]),
        UnknownReference,
        "customer",
    ),
    "a paid invoice made void": Mistake(
        lambda w: w.billing.invoices.void(w.paid.id, reason="a mistake"), InvalidTransition
    ),
    "a void invoice made void": Mistake(
        lambda w: w.billing.invoices.void(w.void.id, reason="a mistake"), InvalidTransition
    ),
    "an owed invoice made again": Mistake(
        lambda w: w.billing.invoices.regenerate(w.owed.id), InvalidTransition
    ),
    "made again as a word": Mistake(
        lambda w: w.billing.invoices.regenerate(w.void.id, finalize=NO_FLAG), V, "finalize"
    ),
    "a draft sent": Mistake(
        lambda w: w.billing.invoices.send(w.draft.id, to="ada@example.com"), InvalidTransition
    ),
    "sent to nobody": Mistake(lambda w: w.billing.invoices.send(w.owed.id, to=""), V, "to"),
    "a line for an owed invoice": Mistake(
        lambda w: w.billing.invoices.add_lines(w.owed.id, [OneOff("Work", eur("1.00"))]),
        InvalidTransition,
    ),
    "a text that waits": Mistake(
        lambda w: w.billing.invoices.add_pending_item(w.ada.id, NO_FLAG), V, "lines"
    ),
    "an unknown item taken back": Mistake(
        lambda w: w.billing.invoices.remove_pending_item("item_none"), NotFound
    ),
    "a pro-forma of nothing": Mistake(
        lambda w: w.billing.invoices.pro_forma(w.ada.id, []), V, "lines"
    ),
    "a seller that is not known": Mistake(
        lambda w: w.billing.customers.update(w.ada.id, seller="fr"), V, "seller"
    ),
    "a seller that is no text": Mistake(customer(seller=7), V, "seller"),
    "void for no reason": Mistake(
        lambda w: w.billing.invoices.void(w.owed.id, reason=""), V, "reason"
    ),
    "given up for no reason": Mistake(
        lambda w: w.billing.invoices.mark_uncollectible(w.owed.id, reason=" "), V, "reason"
    ),
    "a paid invoice given up": Mistake(
        lambda w: w.billing.invoices.mark_uncollectible(w.paid.id, reason="x"), InvalidTransition
    ),
    "a charge without a method": Mistake(
        lambda w: w.billing.invoices.pay(w.owed.id), V, "customer"
    ),
    "a charge of what is paid": Mistake(
        lambda w: w.billing.invoices.pay(w.paid.id), InvalidTransition
    ),
    "a charge of a draft": Mistake(lambda w: w.billing.invoices.pay(w.draft.id), InvalidTransition),
    "a final invoice finalized": Mistake(
        lambda w: w.billing.invoices.finalize(w.owed.id), InvalidTransition
    ),
    "an unknown invoice": Mistake(lambda w: w.billing.invoices.finalize("inv_none"), NotFound),
    "an unknown invoice to get": Mistake(lambda w: w.billing.invoices.get("inv_none"), NotFound),
    # ---- documents and credit
    "a tax behaviour of a line that is a text": Mistake(
        one_off(work(tax_behavior="inclusive")), V, "tax_behavior"
    ),
    "a tax category of a line in capitals": Mistake(
        one_off(work(tax_category="Books!")), V, "tax_category"
    ),
    "a tax category of a line that is a number": Mistake(
        one_off(work(tax_category=7)), V, "tax_category"
    ),
    "rates of a line as a list": Mistake(one_off(work(tax_rates=[TaxRate("5")])), V, "tax_rates"),
    "one rate of a line": Mistake(one_off(work(tax_rates=TaxRate("5"))), V, "tax_rates"),
    "rates of a line as texts": Mistake(one_off(work(tax_rates=("5",))), V, "tax_rates"),
    "one tax twice on a line": Mistake(
        one_off(work(tax_rates=(TaxRate("5"), TaxRate("5")))), V, "tax_rates"
    ),
    "terms of what is charged": Mistake(
        lambda w: w.billing.invoices.create_one_off(w.ada.id, [work()], terms_days=3),
        V,
        "terms_days",
    ),
    "negative terms": Mistake(one_off(work(), terms_days=-1), V, "terms_days"),
    "terms that are a fraction": Mistake(one_off(work(), terms_days=1.5), V, "terms_days"),
    "a way to collect that is none": Mistake(
        one_off(work(), collection_method="mail"), V, "collection_method"
    ),
    "an endless quantity of work": Mistake(one_off(work(quantity=10**30)), V, "quantity"),
    "a text of a line that is too long": Mistake(
        one_off(OneOff("x" * 5000, eur("1.00"))), V, "description"
    ),
    "an item for nobody": Mistake(
        lambda w: w.billing.invoices.add_pending_item("cus_none", work()),
        UnknownReference,
        "customer",
    ),
    "an item for the subscription of another": Mistake(
        lambda w: w.billing.invoices.add_pending_item(w.bob.id, work(), subscription=w.running.id),
        UnknownReference,
        "subscription",
    ),
    "an item for no subscription": Mistake(
        lambda w: w.billing.invoices.add_pending_item(w.ada.id, work(), subscription="sub_none"),
        UnknownReference,
        "subscription",
    ),
    "an item in another currency": Mistake(
        lambda w: w.billing.invoices.add_pending_item(
            w.ada.id, OneOff("A", Money.of("1.00", "USD")), subscription=w.running.id
        ),
        V,
        "amount",
    ),
    "an item of a wrong tax behaviour": Mistake(
        lambda w: w.billing.invoices.add_pending_item(w.ada.id, work(tax_behavior="gross")),
        V,
        "tax_behavior",
    ),
    "an item of less than nothing": Mistake(
        lambda w: w.billing.invoices.add_pending_item(w.ada.id, work(quantity=-2)), V, "quantity"
    ),
    "an item at a naive time": Mistake(
        lambda w: w.billing.invoices.add_pending_item(w.ada.id, work(), at=NAIVE), V, "at"
    ),
    "an item that nobody could tax": Mistake(
        lambda w: w.billing.invoices.add_pending_item(w.ada.id, work(tax_category="books")),
        V,
        "tax_category",
    ),
    "an invoice of nothing that waits": Mistake(
        lambda w: w.billing.invoices.invoice_pending_items(w.ada.id), V, "customer"
    ),
    "an invoice of what waits for nobody": Mistake(
        lambda w: w.billing.invoices.invoice_pending_items("cus_none"), UnknownReference, "customer"
    ),
    "what waits in no currency": Mistake(
        lambda w: w.billing.invoices.invoice_pending_items(w.ada.id, currency="eur"), V, "currency"
    ),
    "a pro-forma of two things": Mistake(
        lambda w: w.billing.invoices.pro_forma(w.ada.id, [work()], subscription=w.running.id),
        V,
        "lines",
    ),
    "a pro-forma of neither": Mistake(lambda w: w.billing.invoices.pro_forma(w.ada.id), V, "lines"),
    "a pro-forma of what has ended": Mistake(
        lambda w: w.billing.invoices.pro_forma(w.ada.id, subscription=w.ended.id), V, "subscription"
    ),
    "a pro-forma of what another has": Mistake(
        lambda w: w.billing.invoices.pro_forma(w.bob.id, subscription=w.running.id),
        UnknownReference,
        "subscription",
    ),
    "a pro-forma for nobody": Mistake(
        lambda w: w.billing.invoices.pro_forma("cus_none", [work()]), UnknownReference, "customer"
    ),
    "a negative pro-forma": Mistake(
        lambda w: w.billing.invoices.pro_forma(w.ada.id, [OneOff("A", eur("-1.00"))]), V, "lines"
    ),
    "the text of no pro-forma": Mistake(
        lambda w: w.billing.invoices.pro_forma_text("pf_none"), NotFound
    ),
    "the next invoice of nothing": Mistake(
        lambda w: w.billing.invoices.upcoming(), V, "subscription"
    ),
    "the next invoice of two": Mistake(
        lambda w: w.billing.invoices.upcoming(w.running.id, customer=w.ada.id), V, "subscription"
    ),
    "the next invoice at a naive time": Mistake(
        lambda w: w.billing.invoices.upcoming(w.running.id, at=NAIVE), V, "at"
    ),
    "a text in a language that is a number": Mistake(
        lambda w: w.billing.invoices.text(w.owed.id, language=NO_TEXT), V, "language"
    ),
    "an amount explained in a number": Mistake(
        lambda w: w.billing.invoices.explain(w.owed.id, language=NO_TEXT), V, "language"
    ),
    "a line that is not there explained": Mistake(
        lambda w: w.billing.invoices.explain(w.owed.id, 9), V, "line"
    ),
    "a seal of nothing verified": Mistake(
        lambda w: w.billing.invoices.verify("inv_none"), NotFound
    ),
    "invoices that are late": Mistake(
        lambda w: w.billing.invoices.list(status="late"), V, "status"
    ),
    "taxes of a day": Mistake(lambda w: w.billing.reports.tax(NO_TEXT), V, "period"),
    "a ledger until a naive time": Mistake(lambda w: w.billing.reports.ledger(NAIVE), V, "until"),
    "nothing made again": Mistake(lambda w: w.billing.invoices.regenerate("inv_none"), NotFound),
    "a draft made again": Mistake(
        lambda w: w.billing.invoices.regenerate(w.draft.id), InvalidTransition
    ),
    "sent to two": Mistake(
        lambda w: w.billing.invoices.send(w.owed.id, to="a@b.de, c@d.de"), V, "to"
    ),
    "sent to one who has no address": Mistake(
        lambda w: w.billing.invoices.send(w.owed.id), V, "to"
    ),
    "a void invoice sent": Mistake(
        lambda w: w.billing.invoices.send(w.void.id, to="a@b.de"), InvalidTransition
    ),
    "a draft made negative": Mistake(
        lambda w: w.billing.invoices.add_lines(w.draft.id, [OneOff("A", eur("-11.00"))]), V, "lines"
    ),
    "a draft of two currencies": Mistake(
        lambda w: w.billing.invoices.add_lines(w.draft.id, [OneOff("A", Money.of("1.00", "USD"))]),
        V,
        "lines",
    ),
    "no line for a draft": Mistake(
        lambda w: w.billing.invoices.add_lines(w.draft.id, []), V, "lines"
    ),
    "a draft given up": Mistake(
        lambda w: w.billing.invoices.mark_uncollectible(w.draft.id, reason="x"), InvalidTransition
    ),
    "a void invoice given up": Mistake(
        lambda w: w.billing.invoices.mark_uncollectible(w.void.id, reason="x"), InvalidTransition
    ),
    "a draft credited": Mistake(credit(draft=True), InvalidTransition),
    "nothing credited": Mistake(
        lambda w: w.billing.credit_notes.create("inv_none", reason="x"), UnknownReference, "invoice"
    ),
    "credited for no reason": Mistake(credit(reason=" "), V, "reason"),
    "credited by line and amount": Mistake(
        credit(lines={0: eur("1.00")}, amount=eur("1.00")), V, "amount"
    ),
    "a line credited that is not there": Mistake(credit(lines={9: eur("1.00")}), V, "lines"),
    "the last line credited": Mistake(credit(lines={-1: eur("1.00")}), V, "lines"),
    "a line credited by its name": Mistake(credit(lines={"0": eur("1.00")}), V, "lines"),
    "more credited than the line has": Mistake(credit(lines={0: eur("10.01")}), V, "lines[0]"),
    "less than nothing credited of a line": Mistake(credit(lines={0: eur("-1.00")}), V, "lines[0]"),
    "a float credited of a line": Mistake(credit(lines={0: 1.0}), V, "lines[0]"),
    "no line credited": Mistake(credit(lines={}), V, "lines"),
    "more credited than there is": Mistake(credit(amount=eur("11.91")), V, "amount"),
    "nothing credited of it": Mistake(credit(amount=eur("0.00")), V, "amount"),
    "credited in another currency": Mistake(credit(amount=Money.of("1.00", "USD")), V, "amount"),
    "a float credited": Mistake(credit(amount=1.0), V, "amount"),
    "what was not paid refunded": Mistake(
        credit(refund=eur("1.00")), V, "refund + balance + outside"
    ),
    "less than nothing to the balance": Mistake(credit(balance=eur("-1.00")), V, "balance"),
    "a note in a language that is a number": Mistake(
        lambda w: w.billing.credit_notes.text("cn_none", language=NO_TEXT), V, "language"
    ),
    "the text of no note": Mistake(lambda w: w.billing.credit_notes.text("cn_none"), NotFound),
    "nothing for the balance": Mistake(
        lambda w: w.billing.balance.adjust(w.ada.id, eur("0.00"), reason="x"), V, "amount"
    ),
    "more off the balance than there is": Mistake(
        lambda w: w.billing.balance.adjust(w.ada.id, eur("-1.00"), reason="x"), V, "amount"
    ),
    "the balance moved for no reason": Mistake(
        lambda w: w.billing.balance.adjust(w.ada.id, eur("1.00"), reason=" "), V, "reason"
    ),
    "the balance of nobody": Mistake(
        lambda w: w.billing.balance.adjust("cus_none", eur("1.00"), reason="x"),
        UnknownReference,
        "customer",
    ),
    "a grant of nothing": Mistake(grant(amount=eur("0.00")), V, "amount"),
    "a grant of a float": Mistake(grant(amount=5.0), V, "amount"),
    "a grant that is a gift": Mistake(grant(category="gift"), V, "category"),
    "a grant that comes too late": Mistake(grant(priority=101), V, "priority"),
    "a priority that is a bool": Mistake(grant(priority=BOOL), V, "priority"),
    "a grant for all": Mistake(grant(scope="all"), V, "scope"),
    "a grant for a price that is not there": Mistake(
        grant(scope=Scope(prices=(PriceId("price_none"),))), UnknownReference, "price"
    ),
    "a grant from a day on": Mistake(grant(effective=date(2027, 2, 1)), V, "effective"),
    "a grant that is over": Mistake(grant(expires=datetime(2026, 1, 1, tzinfo=UTC)), V, "expires"),
    "a grant until a naive time": Mistake(grant(expires=NAIVE), V, "expires"),
    "what never ends rolled over": Mistake(grant(rollover=Rollover()), V, "rollover"),
    "no grant made void": Mistake(
        lambda w: w.billing.balance.void_grant("grn_none", reason="x"), UnknownReference, "grant"
    ),
    "invoices by the month": Mistake(customer(grouping="month"), V, "grouping"),
    "a customer who pays by mail": Mistake(
        customer(collection_method="mail"), V, "collection_method"
    ),
    "terms of more than a year": Mistake(customer(terms_days=366), V, "terms_days"),
    "terms as a text": Mistake(customer(terms_days="14"), V, "terms_days"),
    "an exemption as a text": Mistake(customer(tax_exemption="because"), V, "tax_exemption"),
    "a tax id that is a number": Mistake(customer(tax_id=7), V, "tax_id"),
    "no tax id checked": Mistake(lambda w: w.billing.customers.check_tax_id(w.ada.id), V, "tax_id"),
    "a subscription that pays by mail": Mistake(
        subscribe(collection_method="mail"), V, "collection_method"
    ),
    "a subscription paid by nothing": Mistake(
        subscribe(payment_method="pm_none"), UnknownReference, "payment_method"
    ),
    # ---- payments
    "a float received": Mistake(record(10.0), V, "amount"),
    "nothing received": Mistake(record(eur("0.00")), V, "amount"),
    "less than nothing received": Mistake(record(eur("-10.00")), V, "amount"),
    "a wrong currency for an invoice": Mistake(
        lambda w: w.billing.payments.record(w.bob.id, Money.of("10.00", "USD"), invoice=w.owed.id),
        V,
        "amount",
    ),
    "an invoice of another customer": Mistake(
        lambda w: w.billing.payments.record(w.ada.id, eur("10.00"), invoice=w.owed.id),
        V,
        "invoice",
    ),
    "an invoice that is not owed": Mistake(
        lambda w: w.billing.payments.record(w.ada.id, eur("10.00"), invoice=w.paid.id),
        V,
        "invoice",
    ),
    "an invoice that is a draft": Mistake(
        lambda w: w.billing.payments.record(w.bob.id, eur("10.00"), invoice=w.draft.id),
        V,
        "invoice",
    ),
    "money for an unknown invoice": Mistake(
        record(eur("10.00"), invoice="inv_none"), UnknownReference, "invoice"
    ),
    "money of nobody": Mistake(
        lambda w: w.billing.payments.record("cus_none", eur("1.00")), UnknownReference, "customer"
    ),
    "money through an unknown gateway": Mistake(
        record(eur("10.00"), gateway="paypal"), V, "gateway"
    ),
    "a known reference": Mistake(
        record(eur("10.00"), reference="E2E-1"), Duplicate, "payment.gateway+reference"
    ),
    "a reference that is empty": Mistake(record(eur("10.00"), reference=""), V, "reference"),
    "an unknown payment": Mistake(lambda w: w.billing.payments.get("pay_none"), NotFound),
    # ---- dunning
    "a policy that is none": Mistake(
        lambda w: w.billing.dunning.set_policy("strict"),  # type: ignore[arg-type]
        V,
        "policy",
    ),
    "a hold for no reason": Mistake(
        lambda w: w.billing.dunning.hold(w.case.id, reason=""), V, "reason"
    ),
    "a hold until a naive time": Mistake(
        lambda w: w.billing.dunning.hold(w.case.id, reason="x", until=NAIVE), V, "until"
    ),
    "a hold until a day": Mistake(
        lambda w: w.billing.dunning.hold(w.case.id, reason="x", until=date(2027, 2, 1)),  # type: ignore[arg-type]
        V,
        "until",
    ),
    "a release of what is not held": Mistake(
        lambda w: w.billing.dunning.release(w.case.id), InvalidTransition
    ),
    "an unknown case": Mistake(lambda w: w.billing.dunning.hold("dun_none", reason="x"), NotFound),
    "no case of an invoice": Mistake(lambda w: w.billing.dunning.status(w.paid.id), NotFound),
    "a simulation at a naive time": Mistake(
        lambda w: w.billing.dunning.simulate(DunningPolicy(), failed_at=NAIVE), V, "failed_at"
    ),
    "a schedule at a naive time": Mistake(
        lambda _: DunningPolicy().schedule(failed_at=NAIVE), V, "failed_at"
    ),
    # ---- runs, lists, keys, webhooks
    "a type of event that there is not": Mistake(
        lambda w: w.billing.events.list(type="invoice_paid"), V, "type"
    ),
    "a run until a naive time": Mistake(lambda w: w.billing.run(until=NAIVE), V, "until"),
    "a run until a text": Mistake(
        lambda w: w.billing.run(until="2027-01-31"),  # type: ignore[arg-type]
        V,
        "until",
    ),
    "a page of nothing": Mistake(lambda w: w.billing.customers.list(limit=0), V, "limit"),
    "a page of too much": Mistake(lambda w: w.billing.customers.list(limit=10_001), V, "limit"),
    "a page of a bool": Mistake(lambda w: w.billing.customers.list(limit=True), V, "limit"),
    "a page of a text": Mistake(
        lambda w: w.billing.customers.list(limit="10"),  # type: ignore[arg-type]
        V,
        "limit",
    ),
    "a cursor that is a number": Mistake(
        lambda w: w.billing.customers.list(after=7),  # type: ignore[arg-type]
        V,
        "after",
    ),
    "a cursor of nowhere": Mistake(lambda w: w.billing.events.list(after="x"), V, "after"),
    "a filter that does not exist": Mistake(
        lambda w: w.billing.customers.list(country="DE"),  # type: ignore[call-arg]
        TypeError,
    ),
    "a filter that is not declared": Mistake(
        lambda w: w.storage.find(Query(KINDS[0], "default", {"country": ("DE",)})), V, "country"
    ),
    "a key that is empty": Mistake(customer(idempotency_key=""), V, "idempotency_key"),
    "a key that is blank": Mistake(customer(idempotency_key="  "), V, "idempotency_key"),
    "a key of another request": Mistake(customer(idempotency_key="made-ada"), IdempotencyMismatch),
    "a message of an unknown gateway": Mistake(
        lambda w: w.billing.webhooks.receive("paypal", b"{}", {}), V, "gateway"
    ),
    "a subscriber without a name": Mistake(
        lambda w: w.billing.events.subscribe(print, name=""), V, "name"
    ),
    "an unknown kind to release": Mistake(lambda w: w.billing.unpark("unicorn", "x"), V, None),
    "a release of what is not parked": Mistake(
        lambda w: w.billing.unpark("subscription", w.running.id), V, "id"
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_by_name_and_changes_nothing(world: World, name: str) -> None:
    mistake = MISTAKES[name]
    before, charges = world.state(), world.gateway.charges
    with pytest.raises(mistake.error) as refused:
        mistake.do(world)
    error = refused.value
    # Exactly this error: `Duplicate` is a `StorageError` too, and a host tells them apart.
    assert type(error) is mistake.error
    if mistake.field is not None:
        assert getattr(error, "key" if isinstance(error, Duplicate) else "field") == mistake.field
    assert isinstance(error, DomainError | StorageError | TypeError)
    assert str(error), "it says what was wrong"
    assert world.state() == before
    assert world.gateway.charges == charges
    assert world.billing.run(until=date(2027, 1, 1)).parked == []


@pytest.mark.parametrize("name", ["a card number", "a card number with spaces"])
def test_a_card_number_is_not_repeated_by_the_error(world: World, name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        MISTAKES[name].do(world)
    assert "4242" not in f"{refused.value!r} {refused.value}"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"tenant": ""}, "tenant"),
        ({"tenant": "a\x00b"}, "tenant"),
        ({"clock": lambda: NAIVE}, "clock"),
        ({"clock": NOON}, "clock"),
        ({"seller": "Acme"}, "seller"),
        ({"taxes": {"DE": 19}}, "taxes"),
        ({"gateways": [FakeGateway()]}, "gateways"),
    ],
    ids=[
        "no tenant",
        "a tenant with a control character",
        "a naive clock",
        "a time for a clock",
        "a name for a seller",
        "rates for taxes",
        "gateways without names",
    ],
)
def test_a_billing_that_is_set_up_wrong_says_so(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Billing(**given).customers.create(name="Ada")
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Money.of(29.0, "EUR"), TypeError),  # type: ignore[arg-type]
        (lambda: Money.of(BOOL, "EUR"), TypeError),
        (lambda: Money.of("29.001", "EUR"), ValidationError),
        (lambda: Money.of("29", "eur"), ValidationError),
        (lambda: Money.of("29", "XXX"), ValidationError),
        (lambda: Money.of("29,00", "EUR"), ValidationError),
        (lambda: Interval.months(0), ValidationError),
        (lambda: Interval.days(-1), ValidationError),
        (lambda: Flat(29.0), TypeError),  # type: ignore[arg-type]
        (lambda: Seller(zone="Berlin"), ValidationError),
        (lambda: Address(country="Germany"), ValidationError),
        (lambda: prorate(31, JANUARY, date(2027, 1, 10)), ValidationError),  # type: ignore[arg-type]
        (lambda: prorate(eur("31.00"), NOON, date(2027, 1, 10)), ValidationError),  # type: ignore[arg-type]
        (lambda: TaxRate(19.0), TypeError),  # type: ignore[arg-type]
    ],
    ids=[
        "a float",
        "a bool",
        "too many decimals",
        "a currency in small letters",
        "no currency",
        "a comma",
        "no month",
        "a negative interval",
        "a float for a price",
        "a zone that is none",
        "a country by its name",
        "a number for money",
        "a time for a period",
        "a float for a rate",
    ],
)
def test_a_wrong_value_is_refused_where_it_is_made(
    make: Callable[[], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        make()
