"""An outside tax engine: no invoice is final before it was quoted, none is lost while it waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from attrs import define

from subscriptions import Address, Billing, Interval, Money, OneOff, TaxRate, TaxRates
from subscriptions.customers import Customer
from subscriptions.errors import ValidationError
from subscriptions.invoices import Draft, Invoice, Taxing
from subscriptions.lifecycle import Active, Incomplete, Subscription
from subscriptions.storage import Storage
from subscriptions.storage.memory import MemoryStorage
from subscriptions.tax_quotes import TaxAnswer, TaxQuote, TaxQuotePolicy, TaxRequest
from subscriptions.tax_services.fake import FakeTaxProvider
from subscriptions.taxes import TaxFlag
from subscriptions.testing import TestClock, counting_ids
from subscriptions.testing.crashes import Crash, CrashingStorage, Points
from tests.scenarios.shop import Shop, audit, eur, open_shop

START = datetime(2027, 1, 1, tzinfo=UTC)
STATE, COUNTY = TaxRate("6", name="State"), TaxRate("2.5", name="County")
TABLE = TaxRates({}, default=TaxRate("50"))

OpenShop = Callable[..., Shop]


@pytest.fixture
def provider() -> FakeTaxProvider:
    """Return a tax engine that quotes 10 per cent; the table of the shops says 50."""
    return FakeTaxProvider()


@pytest.fixture
def shop(open_a_shop: OpenShop, provider: FakeTaxProvider) -> Shop:
    return open_a_shop(taxes=TABLE, tax_provider=provider)


def ada_subscribed(shop: Shop, amount: str = "30.00") -> tuple[Customer, Subscription]:
    ada = shop.customer(country="US")
    return ada, shop.subscribe(ada, shop.price(eur(amount)), start=date(2027, 1, 1))


def flags(invoice: Invoice) -> list[TaxFlag | None]:
    return [line.tax_flag for line in invoice.lines]


def test_an_invoice_is_final_with_the_rates_that_were_quoted(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    ada_subscribed(shop)
    shop.time.advance(months=2)
    assert shop.totals() == ["33.00 EUR"] * 3
    assert shop.statuses() == ["paid"] * 3
    assert [invoice.tax_quote for invoice in shop.invoices()] == [
        "fake:quote-1",
        "fake:quote-2",
        "fake:quote-3",
    ]
    assert {invoice.taxing for invoice in shop.invoices()} == {None}
    asked = provider.asked[0]
    assert (asked.address.country, asked.on, asked.seller.name) == ("US", START.date(), "Acme GmbH")
    assert [(line.amount_minor, line.tax_category) for line in asked.lines] == [(3000, "standard")]


def test_several_taxes_are_charged_on_one_net(storage: Storage) -> None:
    shop = open_shop(storage, tax_provider=FakeTaxProvider(rates=(STATE, COUNTY)))
    ada_subscribed(shop)
    (invoice,) = shop.invoices()
    assert [(group.name, group.tax_minor) for group in invoice.taxes] == [
        ("State", 180),
        ("County", 75),
    ]
    assert str(invoice.total) == "32.55 EUR"


def test_while_the_engine_is_down_the_invoice_waits_and_then_is_final(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    provider.outage("ConnectionError")
    ada_subscribed(shop)
    assert shop.only_invoice().taxing == Taxing(1, "ConnectionError")
    shop.time.advance(days=3)
    waiting = shop.only_invoice()
    assert isinstance(waiting.state, Draft)
    assert shop.payments() == []
    assert shop.events(waiting.id).count("invoice.tax_pending") == len(provider.asked) == 6
    assert len({asked.key for asked in provider.asked}) == 3  # one for each day
    provider.recover()
    shop.time.advance(days=1)
    assert (shop.totals(), shop.statuses()) == (["33.00 EUR"], ["paid"])
    assert shop.only_invoice().issued_on == date(2027, 1, 4)


def test_after_some_tries_the_table_counts_with_a_flag_if_the_policy_says_so(
    open_a_shop: OpenShop, provider: FakeTaxProvider
) -> None:
    policy = TaxQuotePolicy(fall_back_after=3)
    shop = open_a_shop(taxes=TABLE, tax_provider=provider, tax_quote_policy=policy)
    provider.outage()
    ada_subscribed(shop)
    shop.time.advance(minutes=64)
    assert shop.statuses() == ["draft"]
    shop.time.advance(minutes=1)
    assert (shop.totals(), shop.statuses()) == (["45.00 EUR"], ["paid"])
    assert flags(shop.only_invoice()) == [TaxFlag.NOT_QUOTED]
    assert shop.only_invoice().tax_quote == ""


def test_a_credit_is_taxed_as_what_it_takes_back_was(shop: Shop, provider: FakeTaxProvider) -> None:
    ada, sub = ada_subscribed(shop, "31.00")
    provider.rates = (TaxRate("20"),)
    shop.time.advance(to=date(2027, 1, 16))
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    credit = shop.invoices()[-1]
    # 16 of 31 days were not used; they were sold with 10 per cent.
    assert str(credit.total) == "-17.60 EUR"
    assert shop.billing.customers.get(ada.id).credit_minor(eur("1").currency) == 1760
    assert len(provider.asked) == 1


def test_what_is_refunded_at_the_end_is_refunded_after_an_outage_too(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    shop.billing.usage.add_meter("calls")
    ada, sub = ada_subscribed(shop, "31.00")
    provider.outage()
    shop.time.advance(to=date(2027, 1, 16))
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="refund")
    shop.time.advance(days=2)
    provider.recover()
    shop.time.advance(days=2)
    refunds = list(shop.billing.payments.refunds())
    assert [str(refund.amount) for refund in refunds] == ["17.60 EUR"]
    assert shop.billing.customers.get(ada.id).balance == ()


def test_a_credit_waits_for_the_invoice_that_it_takes_back(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    provider.outage()
    _, sub = ada_subscribed(shop, "31.00")
    shop.time.advance(to=date(2027, 1, 16))
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    shop.time.advance(days=1)
    assert shop.statuses() == ["draft", "draft"]
    assert {invoice.taxing is not None for invoice in shop.invoices()} == {True}
    provider.recover()
    shop.time.advance(days=3)
    assert shop.totals() == ["34.10 EUR", "-17.60 EUR"]


def test_a_subscription_that_waits_for_its_first_payment_waits_for_the_quote_too(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    ada = shop.customer()
    provider.outage()
    create = shop.billing.subscriptions.create
    sub = create(ada.id, [shop.price().id], require_payment=True)
    assert isinstance(sub.contract, Incomplete)
    provider.recover()
    shop.time.advance(minutes=5)
    assert isinstance(shop.subscription(sub).contract, Active)
    assert shop.statuses() == ["paid"]


def test_a_first_bill_that_the_balance_pays_after_all_lets_the_subscription_begin(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    ada = shop.customer()
    provider.outage()
    create = shop.billing.subscriptions.create
    sub = create(ada.id, [shop.price().id], require_payment=True)
    shop.billing.balance.adjust(ada.id, eur("100.00"), reason="goodwill")
    provider.recover()
    shop.time.advance(minutes=5)
    assert isinstance(shop.subscription(sub).contract, Active)
    assert shop.statuses() == ["paid"]


def test_a_first_bill_that_waits_longer_than_the_subscription_is_dropped(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    provider.outage()
    create = shop.billing.subscriptions.create
    sub = create(shop.customer().id, [shop.price().id], require_payment=True)
    shop.time.advance(days=3)
    assert shop.subscription(sub).status == "expired"
    assert shop.statuses() == ["void"]
    provider.recover()
    shop.time.advance(days=3)
    assert (shop.statuses(), shop.payments()) == (["void"], [])


def test_a_parked_draft_that_is_released_in_a_transaction_is_quoted_after_it(
    shop: Shop, provider: FakeTaxProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise RuntimeError("a defect of ours")

    with monkeypatch.context() as patch:
        patch.setattr("subscriptions.usecases.tax_quotes.settle", broken)
        ada_subscribed(shop)
    parked = shop.only_invoice()
    assert parked.parked is not None
    with shop.billing.transaction():
        shop.billing.unpark("invoice", parked.id)
    assert shop.statuses() == ["paid"]


def test_a_draft_of_the_day_that_gets_more_lines_while_it_is_asked_about_is_asked_about_again(
    storage: Storage,
) -> None:
    @define
    class Slow(FakeTaxProvider):
        """While the first question waits, the customer buys something else that day."""

        other: Shop | None = None

        def quote(self, request: TaxRequest, /) -> TaxAnswer:
            answer = super().quote(request)
            if self.other is not None:
                other, self.other = self.other, None
                billing = other.billing
                with billing.transaction():
                    billing.subscriptions.create(request.customer, [second.id])
            return answer

    slow = Slow()
    shop = open_shop(storage, tax_provider=slow)
    ada = shop.billing.customers.create(name="Ada", country="US", grouping="day")
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    first, second = shop.price(name="One"), shop.price(name="Two")
    slow.other = open_shop(storage, tax_provider=FakeTaxProvider(), process="two")
    shop.subscribe(ada, first)
    shop.time.advance(minutes=5)
    assert shop.totals() == ["63.80 EUR"]
    assert shop.statuses() == ["paid"]


def test_a_one_off_invoice_is_quoted_by_its_categories_and_own_rates_are_kept(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    provider.category("reduced", TaxRate("5"))
    ada = shop.customer()
    lines = [
        OneOff("Book", eur("10.00"), tax_category="reduced"),
        OneOff("Work", eur("10.00")),
        OneOff("Fee", eur("10.00"), tax_rates=(TaxRate("1"),)),
    ]
    invoice = shop.billing.invoices.create_one_off(ada.id, lines)
    assert invoice.status == "paid"
    assert [str(line.rate.percent) for line in invoice.lines] == ["5", "10", "1"]
    (asked,) = provider.asked
    assert [line.tax_category for line in asked.lines] == ["reduced", "standard"]


def test_what_bears_its_own_rates_is_final_without_the_engine(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    provider.outage()
    fee = OneOff("Fee", eur("10.00"), tax_rates=(TaxRate("1"),))
    invoice = shop.billing.invoices.create_one_off(shop.customer().id, [fee])
    assert (str(invoice.total), invoice.status, provider.asked) == ("10.10 EUR", "paid", [])


def test_a_draft_by_hand_is_quoted_when_it_is_made_final(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    create = shop.billing.invoices.create_one_off
    draft = create(shop.customer().id, [OneOff("Work", eur("10.00"))], finalize=False)
    assert (draft.status, provider.asked) == ("draft", [])
    final = shop.billing.invoices.finalize(draft.id)
    assert (final.status, str(final.total)) == ("paid", "11.00 EUR")


def test_the_price_of_a_product_says_its_category(shop: Shop, provider: FakeTaxProvider) -> None:
    catalog = shop.billing.catalog
    price = catalog.add_price(
        "Book", eur("10.00"), every=Interval.months(1), tax_category="reduced"
    )
    shop.subscribe(shop.customer(), price)
    assert [line.tax_category for line in provider.asked[0].lines] == ["reduced"]


def test_a_customer_who_moves_while_his_invoice_waits_is_asked_about_where_he_is(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    provider.outage()
    ada, _ = ada_subscribed(shop)
    shop.billing.customers.update(ada.id, address=Address(country="CA"))
    provider.recover()
    shop.time.advance(minutes=5)
    assert [asked.address.country for asked in provider.asked] == ["US", "CA"]
    assert len({asked.key for asked in provider.asked}) == 2
    assert shop.statuses() == ["paid"]


def test_an_answer_to_a_question_of_before_is_dropped(storage: Storage) -> None:
    @define
    class Slow(FakeTaxProvider):
        """While the first question waits, somebody moves the customer."""

        other: Billing | None = None

        def quote(self, request: TaxRequest, /) -> TaxAnswer:
            if self.other is not None:
                other, self.other = self.other, None
                other.customers.update(request.customer, address=Address(country="CA"))
                return TaxQuote(((TaxRate("99"),),))
            return super().quote(request)

    slow = Slow()
    slow.other = open_shop(storage, process="two").billing
    shop = open_shop(storage, tax_provider=slow)
    ada_subscribed(shop)
    assert shop.only_invoice().taxing == Taxing(1, "CHANGED")
    shop.time.advance(minutes=5)
    assert shop.totals() == ["33.00 EUR"]
    assert audit(shop) == []


@define
class Defective:
    """A tax engine with a defect of its own."""

    answer: object
    name: str = "defective"

    def quote(self, _request: TaxRequest, /) -> TaxAnswer:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]  # that is the defect


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (RuntimeError("Ada Lovelace, 1 Square"), "RuntimeError"),
        (None, "UNREADABLE"),
        (TaxQuote(()), "UNREADABLE"),
        (TaxQuote(((STATE,), (STATE,))), "UNREADABLE"),
    ],
    ids=repr,
)
def test_what_does_not_fit_is_no_quote(open_a_shop: OpenShop, answer: object, reason: str) -> None:
    shop = open_a_shop(tax_provider=Defective(answer))
    ada_subscribed(shop)
    assert shop.only_invoice().taxing == Taxing(1, reason)


def test_an_engine_that_is_down_is_not_asked_by_a_thousand_in_a_row(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    price = shop.price()
    with shop.billing.transaction():
        for n in range(8):
            shop.subscribe(shop.customer(name=f"C{n}"), price)
        provider.outage()
    assert len(provider.asked) == 3
    provider.recover()
    shop.time.advance(minutes=5)
    assert shop.statuses() == ["paid"] * 8


def test_drafts_of_a_day_are_quoted_together(shop: Shop, provider: FakeTaxProvider) -> None:
    ada = shop.billing.customers.create(name="Ada", country="US", grouping="day")
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    for name in ("One", "Two"):
        shop.subscribe(ada, shop.price(name=name), start=date(2027, 2, 1))
    shop.time.advance(months=1)
    assert shop.totals() == ["63.80 EUR"]
    assert [len(asked.lines) for asked in provider.asked] == [2]


def test_pending_items_are_quoted_with_the_invoice_that_takes_them(
    shop: Shop, provider: FakeTaxProvider
) -> None:
    ada, _ = ada_subscribed(shop)
    shop.billing.invoices.add_pending_item(
        ada.id, OneOff("Work", eur("10.00"), tax_category="reduced")
    )
    provider.category("reduced", TaxRate("5"))
    shop.time.advance(months=1)
    assert shop.totals() == ["33.00 EUR", "43.50 EUR"]


def test_without_its_engine_a_billing_makes_waiting_invoices_final_by_the_table(
    storage: Storage, provider: FakeTaxProvider
) -> None:
    provider.outage()
    shop = open_shop(storage, taxes=TABLE, tax_provider=provider)
    ada_subscribed(shop)
    without = open_shop(storage, taxes=TABLE, process="two", start=START)
    without.billing.run(START + timedelta(days=1))
    (invoice,) = without.invoices()
    assert (str(invoice.total), invoice.taxing) == ("45.00 EUR", None)


def test_upcoming_shows_the_table_and_asks_nobody(shop: Shop, provider: FakeTaxProvider) -> None:
    _, sub = ada_subscribed(shop)
    upcoming = shop.billing.invoices.upcoming(sub.id)
    assert upcoming is not None
    assert str(upcoming.invoice.total) == "45.00 EUR"
    assert len(provider.asked) == 1


def test_a_crash_at_any_point_loses_no_invoice_and_makes_none_twice() -> None:
    def process(storage: Storage, points: Points, name: str) -> Billing:
        return Billing(
            storage=CrashingStorage(storage, points),
            tax_provider=FakeTaxProvider(),
            clock=TestClock(START),
            ids=counting_ids(name),
        )

    def sold(storage: Storage, points: Points, name: str) -> list[tuple[str, str]]:
        billing = process(storage, points, name)
        billing.run(date(2027, 2, 1))
        return [(x.status.value, str(x.total)) for x in billing.invoices.list()]

    def opened() -> MemoryStorage:
        storage = MemoryStorage()
        billing = process(storage, Points(), "")
        price = billing.catalog.add_price("Pro", Money.of("30", "EUR"), every=Interval.months(1))
        ada = billing.customers.create(name="Ada")
        billing.payment_methods.attach(ada.id, "tok_visa")
        billing.subscriptions.create(ada.id, [price.id], start=date(2027, 1, 15))
        return storage

    whole = Points()
    expected = sold(opened(), whole, "run")
    assert expected == [("paid", "33.00 EUR")]
    assert whole.passed == 6
    for k in range(whole.passed):
        storage = opened()
        with pytest.raises(Crash):
            sold(storage, Points(k), "run")
        assert sold(storage, Points(), "again") == expected, whole.names[k]


def test_what_is_no_engine_is_refused() -> None:
    with pytest.raises(ValidationError, match="tax_provider"):
        Billing(tax_provider=object())  # type: ignore[arg-type]  # as an untyped caller may
