"""Tax ids through time: who is asked when, and what an outage may and may not do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from attrs import define

from subscriptions import AsyncBilling, Billing, Seller
from subscriptions.customers import (
    CUSTOMER,
    Address,
    Customer,
    TaxIdRejected,
    TaxIdUnverified,
    TaxIdVerified,
)
from subscriptions.errors import ValidationError
from subscriptions.events import Event
from subscriptions.records import AnyKind
from subscriptions.storage import Query, Storage, due
from subscriptions.storage.memory import MemoryStorage
from subscriptions.tax_ids import Standing, TaxIdAnswer, TaxIdPolicy, Valid, valid_on
from subscriptions.tax_services.fake import FakeTaxIds
from subscriptions.taxes import EU_VAT, TaxCategory, TaxFlag, TaxPolicy
from subscriptions.testing import TestClock, counting_ids
from subscriptions.testing.crashes import Crash, CrashingStorage, Points
from tests.scenarios.shop import Shop, open_shop

ID, OTHER, AUSTRIAN = "FR40303265045", "DE136695976", "ATU12345675"
DAY = timedelta(days=1)
START = datetime(2027, 1, 1, tzinfo=UTC)
SELLER = Seller("Acme GmbH", address=Address(country="AT"), tax_id=AUSTRIAN)

OpenShop = Callable[..., Shop]


@pytest.fixture
def validator() -> FakeTaxIds:
    return FakeTaxIds()


@pytest.fixture
def shop(open_a_shop: OpenShop, validator: FakeTaxIds) -> Shop:
    return open_a_shop(seller=SELLER, tax_ids=validator)


def a_company(shop: Shop, tax_id: str = ID, name: str = "Ada SARL") -> Customer:
    return shop.billing.customers.create(name=name, country="FR", tax_id=tax_id)


def standing(shop: Shop, customer: Customer) -> Standing:
    """Return what is known of a customer's tax id, as things are now."""
    now = shop.billing.customers.get(customer.id)
    return valid_on(now.tax_id_check, now.tax_id, shop.clock())


def said(shop: Shop, customer: Customer) -> list[Event]:
    """Return what was said of a customer's tax id, in order."""
    kinds = (TaxIdVerified, TaxIdRejected, TaxIdUnverified)
    recorded = shop.billing.events.list(subject=customer.id, limit=1000)
    return [each.body for each in recorded if isinstance(each.body, kinds)]


def test_a_new_customer_is_asked_about_at_once(shop: Shop, validator: FakeTaxIds) -> None:
    validator.valid(ID, name="ADA SARL", address="1 RUE, PARIS")
    customer = a_company(shop, "fr 40 303 265 045")
    check = customer.tax_id_check
    assert customer.tax_id == ID
    assert check is not None
    assert (check.valid, check.name, check.source, check.request_id) == (
        True,
        "ADA SARL",
        "fake",
        "fake-1",
    )
    assert (validator.asked, validator.requesters) == ([ID], [AUSTRIAN])
    assert said(shop, customer) == [TaxIdVerified(customer.id, START, "fake-1")]
    assert standing(shop, customer) is Standing.VALID


def test_it_is_asked_again_every_thirty_days(shop: Shop, validator: FakeTaxIds) -> None:
    customer = a_company(shop)
    shop.time.advance(days=29)
    assert validator.asked == [ID]
    shop.time.advance(days=1)
    assert validator.asked == [ID, ID]
    shop.time.advance(days=300)
    assert len(validator.asked) == 12
    assert standing(shop, customer) is Standing.VALID


def test_an_outage_of_three_days_changes_nothing(shop: Shop, validator: FakeTaxIds) -> None:
    customer = a_company(shop)
    shop.time.advance(days=29)
    validator.outage("MS_UNAVAILABLE")
    shop.time.advance(days=4)
    assert standing(shop, customer) is Standing.VALID
    outages = [each for each in said(shop, customer) if isinstance(each, TaxIdUnverified)]
    due = START + 30 * DAY
    waits = [each.at - due for each in outages]
    hours = [timedelta(minutes=m) for m in (0, 5, 65, 425, 425 + 1440, 425 + 2 * 1440)]
    assert waits == hours
    assert [each.tries for each in outages] == [1, 2, 3, 4, 5, 6]
    assert {each.last_valid_at for each in outages} == {START}
    validator.recover()
    shop.time.advance(days=1)
    assert isinstance(said(shop, customer)[-1], TaxIdVerified)
    assert len(validator.asked) == 1 + 6 + 1


def test_past_its_age_a_confirmation_is_no_evidence_until_somebody_answers(
    shop: Shop, validator: FakeTaxIds
) -> None:
    customer = a_company(shop)
    validator.outage()
    shop.time.advance(days=90)
    assert standing(shop, customer) is Standing.VALID
    shop.time.advance(hours=1)
    assert standing(shop, customer) is Standing.UNKNOWN
    validator.recover()
    shop.time.advance(days=1)
    assert standing(shop, customer) is Standing.VALID


def test_an_id_that_is_struck_off_is_invalid_from_the_next_answer_on(
    shop: Shop, validator: FakeTaxIds
) -> None:
    customer = a_company(shop)
    validator.invalid(ID)
    shop.time.advance(days=29)
    assert standing(shop, customer) is Standing.VALID
    shop.time.advance(days=1)
    assert standing(shop, customer) is Standing.INVALID
    assert said(shop, customer)[-1] == TaxIdRejected(customer.id, START + 30 * DAY, "fake-2")
    validator.outage()
    shop.time.advance(days=31)
    assert standing(shop, customer) is Standing.INVALID
    validator.recover()
    validator.valid(ID)
    shop.time.advance(days=1)
    assert standing(shop, customer) is Standing.VALID


def test_a_validator_that_never_worked_leaves_nothing_known(
    shop: Shop, validator: FakeTaxIds
) -> None:
    validator.outage()
    customer = a_company(shop)
    assert standing(shop, customer) is Standing.UNKNOWN
    shop.time.advance(days=10)
    assert standing(shop, customer) is Standing.UNKNOWN
    assert len(validator.asked) == 4 + 10 - 1
    validator.recover()
    shop.time.advance(days=1)
    assert standing(shop, customer) is Standing.VALID


def test_another_id_forgets_what_was_said_of_the_one_before(
    shop: Shop, validator: FakeTaxIds
) -> None:
    customer = a_company(shop)
    validator.outage()
    moved = shop.billing.customers.update(customer.id, tax_id="de 136695976")
    assert moved.tax_id == OTHER
    assert moved.tax_id_check is not None
    assert (moved.tax_id_check.tax_id, moved.tax_id_check.last_valid_at) == (OTHER, None)
    assert standing(shop, customer) is Standing.UNKNOWN
    validator.recover()
    shop.time.advance(minutes=5)
    assert standing(shop, customer) is Standing.VALID
    assert validator.asked == [ID, OTHER, OTHER]


def test_an_id_that_is_taken_away_is_not_asked_about(shop: Shop, validator: FakeTaxIds) -> None:
    customer = a_company(shop)
    gone = shop.billing.customers.update(customer.id, tax_id="")
    assert (gone.tax_id_check, gone.due_at) == (None, None)
    shop.time.advance(days=60)
    assert validator.asked == [ID]


def test_edits_of_other_fields_ask_nobody(shop: Shop, validator: FakeTaxIds) -> None:
    customer = a_company(shop)
    shop.billing.customers.update(customer.id, name="Ada SAS", tax_id="FR 40 303 265 045")
    shop.billing.customers.tag(customer.id, "vip")
    assert validator.asked == [ID]
    assert standing(shop, customer) is Standing.VALID


def test_what_the_validator_does_not_cover_is_not_asked_about(
    shop: Shop, validator: FakeTaxIds
) -> None:
    customer = shop.billing.customers.create(name="Bob", country="US", tax_id="12-3456789")
    assert (customer.tax_id, customer.due_at, validator.asked) == ("12-3456789", None, [])
    with pytest.raises(ValidationError, match="one that is covered: AT, BE"):
        shop.billing.customers.check_tax_id(customer.id)


def test_a_wrong_id_is_refused_and_nothing_is_stored(shop: Shop, validator: FakeTaxIds) -> None:
    with pytest.raises(ValidationError, match="check digits of a VAT id of FR"):
        a_company(shop, "FR40303265046")
    customer = a_company(shop)
    with pytest.raises(ValidationError, match="prefix, such as FR…"):
        shop.billing.customers.update(customer.id, tax_id="40303265045")
    with pytest.raises(ValidationError, match="prefix, such as DE…"):
        shop.billing.customers.update(
            customer.id, tax_id="136695976", address=Address(country="DE")
        )
    assert shop.billing.customers.list().total == 1
    assert shop.billing.customers.get(customer.id) == customer


def test_without_a_validator_a_tax_id_is_any_text_and_never_due(open_a_shop: OpenShop) -> None:
    shop = open_a_shop()
    customer = a_company(shop, "12/345 67890")
    assert (customer.tax_id, customer.due_at) == ("12/345 67890", None)
    with pytest.raises(ValidationError, match=r"Billing\(tax_ids=…\)"):
        shop.billing.customers.check_tax_id(customer.id)


def test_by_hand_it_is_asked_now_and_the_answer_returned(shop: Shop, validator: FakeTaxIds) -> None:
    customer = a_company(shop)
    validator.invalid(ID)
    shop.time.advance(days=3)
    checked = shop.billing.customers.check_tax_id(customer.id)
    assert checked.tax_id_check is not None
    assert (checked.tax_id_check.valid, checked.tax_id_check.at) == (False, START + 3 * DAY)
    assert checked.due_at == START + 33 * DAY
    with pytest.raises(ValidationError, match="a customer with a tax id"):
        shop.billing.customers.check_tax_id(shop.customer().id)


def test_evidence_of_others_is_recorded(shop: Shop, validator: FakeTaxIds) -> None:
    validator.outage()
    customer = a_company(shop)
    shop.time.advance(days=2)
    record = shop.billing.customers.record_tax_id_check
    stored = record(
        customer.id, valid=True, source="phone", checked_at=START + DAY, request_id="42"
    )
    check = stored.tax_id_check
    assert check is not None
    assert (check.valid, check.last_valid_at, check.source) == (True, START + DAY, "phone")
    assert stored.due_at == START + 31 * DAY
    assert standing(shop, customer) is Standing.VALID
    rejected = record(customer.id, valid=False, source="phone")
    assert rejected.tax_id_check is not None
    assert rejected.tax_id_check.valid is False
    with pytest.raises(ValidationError, match="of the last answer"):
        record(customer.id, valid=True, source="phone", checked_at=START + DAY)
    with pytest.raises(ValidationError, match="checked_at: at most"):
        record(customer.id, valid=True, source="phone", checked_at=START + 9 * DAY)
    with pytest.raises(ValidationError, match="valid: True or False"):
        record(customer.id, valid=1, source="phone")  # type: ignore[arg-type]  # a 1 is no truth
    with pytest.raises(ValidationError, match="a customer with a tax id"):
        record(shop.customer().id, valid=True, source="phone")


def test_evidence_of_others_needs_no_validator(open_a_shop: OpenShop) -> None:
    shop = open_a_shop()
    customer = a_company(shop)
    stored = shop.billing.customers.record_tax_id_check(customer.id, valid=True, source="host")
    assert stored.due_at is None
    assert standing(shop, customer) is Standing.VALID


def test_customers_are_asked_about_before_the_bills_of_the_same_instant(
    shop: Shop, validator: FakeTaxIds
) -> None:
    customer = shop.billing.customers.create(name="Ada", country="FR", tax_id=ID)
    shop.billing.payment_methods.attach(customer.id, "tok_visa")
    # Days begin in the seller's zone, UTC; so both are due on the first instant of 31 January.
    shop.subscribe(customer, start=date(2027, 1, 31))
    shop.time.advance(days=30)
    order = [event for event in shop.events() if event.endswith(("verified", "finalized"))]
    assert order == ["customer.tax_id_verified", "customer.tax_id_verified", "invoice.finalized"]


def test_a_policy_says_how_often(open_a_shop: OpenShop, validator: FakeTaxIds) -> None:
    policy = TaxIdPolicy(max_age=10 * DAY, again_after=5 * DAY, retries=(DAY,))
    shop = open_a_shop(tax_ids=validator, tax_id_policy=policy)
    a_company(shop)
    shop.time.advance(days=5)
    assert len(validator.asked) == 2
    validator.outage()
    shop.time.advance(days=7)
    assert len(validator.asked) == 2 + 3


def test_an_import_is_checked_and_asked_about_by_the_run(shop: Shop, validator: FakeTaxIds) -> None:
    rows = f"external_id,name,country,tax_id\n1,Ada,FR,fr {ID[2:]}\n2,Bob,FR,FR1\n"
    report = shop.billing.customers.import_(rows)
    assert [(error.field, error.row) for error in report.errors] == [("tax_id", 3)]
    assert validator.asked == []
    shop.time.advance(hours=1)
    assert validator.asked == [ID]


# ---- what it does to invoices -----------------------------------------------------------------


def taxed(shop: Shop) -> list[tuple[str, TaxCategory, TaxFlag | None]]:
    """Return of each invoice its total, the category of its first line and what was missing."""
    return [
        (str(invoice.total), invoice.lines[0].rate.category, invoice.lines[0].tax_flag)
        for invoice in shop.invoices()
    ]


REVERSE = ("29.00 EUR", TaxCategory.REVERSE_CHARGE, None)
FLAGGED = ("34.80 EUR", TaxCategory.STANDARD, TaxFlag.ID_NOT_CHECKED)
REJECTED = ("34.80 EUR", TaxCategory.STANDARD, TaxFlag.ID_INVALID)


@pytest.fixture
def abroad(open_a_shop: OpenShop, validator: FakeTaxIds) -> Shop:
    """Return a shop in Austria that charges businesses in other member states no tax."""
    return open_a_shop(seller=SELLER, tax_ids=validator, taxes=TaxPolicy(EU_VAT))


def a_subscriber(shop: Shop) -> Customer:
    customer = a_company(shop)
    shop.billing.payment_methods.attach(customer.id, "tok_visa")
    shop.subscribe(customer, start=date(2027, 1, 1))
    return customer


def test_an_outage_while_the_evidence_is_fresh_leaves_the_reverse_charge(
    abroad: Shop, validator: FakeTaxIds
) -> None:
    a_subscriber(abroad)
    abroad.time.advance(days=29)
    validator.outage()
    abroad.time.advance(days=3)
    assert taxed(abroad) == [REVERSE, REVERSE]


def test_an_outage_past_its_age_is_taxed_and_flagged_until_somebody_answers(
    abroad: Shop, validator: FakeTaxIds
) -> None:
    a_subscriber(abroad)
    validator.outage()
    abroad.time.advance(to=date(2027, 4, 1))
    # 1 April begins 90 days after the answer, 1 May 120.
    assert taxed(abroad) == [REVERSE] * 4
    abroad.time.advance(months=1)
    assert taxed(abroad)[4:] == [FLAGGED]
    validator.recover()
    abroad.time.advance(months=1)
    assert taxed(abroad)[5:] == [REVERSE]


def test_a_struck_off_id_is_taxed_and_flagged_from_the_answer_on(
    abroad: Shop, validator: FakeTaxIds
) -> None:
    a_subscriber(abroad)
    validator.invalid(ID)
    abroad.time.advance(months=1)
    assert taxed(abroad) == [REVERSE, REJECTED]


def test_a_new_id_counts_from_its_own_answer_on(abroad: Shop, validator: FakeTaxIds) -> None:
    customer = a_subscriber(abroad)
    validator.outage()
    abroad.billing.customers.update(customer.id, tax_id="FR83404833048")
    abroad.time.advance(months=1)
    validator.recover()
    abroad.time.advance(months=1)
    assert taxed(abroad) == [REVERSE, FLAGGED, REVERSE]


def test_a_customer_of_one_transaction_with_his_subscription_is_taxed_on_the_first_bill(
    abroad: Shop, validator: FakeTaxIds
) -> None:
    """Nobody is asked within a transaction, so nothing is known when the first bill is made."""
    with abroad.billing.transaction():
        a_subscriber(abroad)
        assert validator.asked == []
    assert validator.asked == [ID]
    abroad.time.advance(months=1)
    assert taxed(abroad) == [FLAGGED, REVERSE]


# ---- trouble ----------------------------------------------------------------------------------


def test_a_register_that_is_down_is_not_asked_by_a_thousand_in_a_row(
    shop: Shop, validator: FakeTaxIds
) -> None:
    """Each question waits for a time-out, and the run would wait with it."""
    with shop.billing.transaction():
        french = [a_company(shop, name=f"F{n}") for n in range(8)]
        german = a_company(shop, OTHER, "G")
        validator.outage("MS_UNAVAILABLE", prefix="FR")
    assert validator.asked.count(ID) == 3
    assert standing(shop, german) is Standing.VALID
    outages = [event for f in french for event in said(shop, f)]
    reasons = [each.reason for each in outages if isinstance(each, TaxIdUnverified)]
    assert sorted(reasons) == ["MS_UNAVAILABLE"] * 3 + ["NOT_ASKED"] * 5
    validator.recover()
    shop.time.advance(minutes=5)
    assert {standing(shop, each) for each in french} == {Standing.VALID}


@define
class Defective:
    """A validator with a defect of its own."""

    answer: object
    name: str = "defective"
    prefixes: frozenset[str] = frozenset({"FR"})

    def check(self, _tax_id: str, _requester: str, /) -> TaxIdAnswer:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]  # that is the defect


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (RuntimeError(f"no route to {ID}"), "RuntimeError"),
        (None, "UNREADABLE"),
        (False, "UNREADABLE"),
        ("valid", "UNREADABLE"),
    ],
    ids=repr,
)
def test_a_defect_of_a_validator_is_silence(
    open_a_shop: OpenShop, answer: object, reason: str
) -> None:
    shop = open_a_shop(tax_ids=Defective(answer))
    customer = a_company(shop)
    assert said(shop, customer) == [TaxIdUnverified(customer.id, START, reason, 1)]
    assert standing(shop, customer) is Standing.UNKNOWN


def test_a_validator_that_covers_less_than_it_did_leaves_the_customer_alone(
    storage: Storage, validator: FakeTaxIds
) -> None:
    shop = open_shop(storage, tax_ids=validator)
    customer = a_company(shop)
    fewer = open_shop(
        storage, tax_ids=FakeTaxIds(prefixes=frozenset({"DE"})), process="two", start=START
    )
    fewer.time.advance(days=30)
    assert fewer.billing.customers.get(customer.id).due_at is None
    assert standing(fewer, customer) is Standing.VALID


def test_without_the_validator_it_had_a_billing_asks_nobody_and_goes_on(
    storage: Storage, validator: FakeTaxIds
) -> None:
    customer = a_company(open_shop(storage, tax_ids=validator))
    without = open_shop(storage, process="two", start=START)
    without.time.advance(days=120)
    assert standing(without, customer) is Standing.UNKNOWN
    assert validator.asked == [ID]


def test_an_id_that_changes_while_it_is_asked_about_is_asked_about_again(
    storage: Storage,
) -> None:
    @define
    class Slow(FakeTaxIds):
        """While the first question waits, somebody changes the tax id."""

        other: Billing | None = None

        def check(self, tax_id: str, requester: str, /) -> TaxIdAnswer:
            answer = super().check(tax_id, requester)
            if self.other is not None:
                other, self.other = self.other, None
                other.customers.update(customer.id, tax_id=OTHER)
            return answer

    slow = Slow()
    shop = open_shop(storage, tax_ids=slow)
    customer = a_company(shop)
    slow.invalid(ID)
    slow.other = open_shop(storage, process="two", start=START + 30 * DAY).billing
    shop.time.advance(days=30)
    moved = shop.billing.customers.get(customer.id)
    assert (moved.tax_id, moved.tax_id_check, moved.parked) == (OTHER, None, None)


def test_a_crash_between_question_and_commit_asks_again(validator: FakeTaxIds) -> None:
    def process(storage: Storage, points: Points, name: str) -> Billing:
        return Billing(
            storage=CrashingStorage(storage, points),
            tax_ids=validator,
            clock=TestClock(START),
            ids=counting_ids(name),
        )

    whole = Points()
    process(MemoryStorage(), whole, "").customers.create(name="Ada", tax_id=ID, country="FR")
    asked = 0
    for k in range(whole.passed):
        storage = MemoryStorage()
        validator.asked.clear()
        with pytest.raises(Crash):
            process(storage, Points(k), "").customers.create(
                name="Ada", tax_id=ID, country="FR", idempotency_key="ada"
            )
        again = process(storage, Points(), "two")
        customer = again.customers.create(
            name="Ada", tax_id=ID, country="FR", idempotency_key="ada"
        )
        again.run(START)
        customer = again.customers.get(customer.id)
        assert valid_on(customer.tax_id_check, ID, START) is Standing.VALID
        answers = [e for e in again.events.list() if isinstance(e.body, TaxIdVerified)]
        assert len(answers) == 1
        asked = max(asked, len(validator.asked))
    assert asked == 2


def test_a_parked_customer_is_released(
    shop: Shop, validator: FakeTaxIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = a_company(shop)

    def broken(*_: object, **__: object) -> object:
        raise RuntimeError("a defect of ours")

    with monkeypatch.context() as patch:
        patch.setattr("subscriptions.usecases.customers.settle_tax_id", broken)
        report = shop.billing.run(START + 30 * DAY)
    assert [(each.kind, each.id) for each in report.parked] == [("customer", customer.id)]
    released = shop.billing.unpark("customer", customer.id)
    assert (released.parked, released.due_at) == (None, START + 60 * DAY)


def test_without_a_validator_no_query_looks_for_customers(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[AnyKind] = []

    def seen(kind: AnyKind, tenant: str, *, now: datetime, limit: int) -> Query[Any]:
        asked_for.append(kind)
        return due(kind, tenant, now=now, limit=limit)

    monkeypatch.setattr("subscriptions.engine.work.due", seen)
    shop = open_shop(storage)
    shop.subscribe(shop.customer())
    shop.time.advance(days=31)
    assert asked_for
    assert CUSTOMER not in asked_for


def test_asynchronous_hosts_ask_in_a_thread(validator: FakeTaxIds) -> None:
    async def story() -> Customer:
        billing = AsyncBilling(tax_ids=validator, clock=TestClock(START))
        return await billing.customers.create(name="Ada", tax_id=ID, country="FR")

    check = asyncio.run(story()).tax_id_check
    assert check is not None
    assert check.valid


@pytest.mark.parametrize(
    "wrong",
    [object(), 5, Valid, FakeTaxIds(prefixes=frozenset())],
    ids=["object", "number", "class", "no prefixes"],
)
def test_what_is_no_validator_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError, match="tax_ids"):
        Billing(tax_ids=wrong)  # type: ignore[arg-type]  # as a caller without a type checker may
