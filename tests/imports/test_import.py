"""Import of running customers: each row whole or not at all, again and again, never a charge."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import cast

import pytest

from subscriptions import (
    AsyncBilling,
    Billing,
    Conflict,
    Interval,
    MemoryStorage,
    Money,
    SqlStorage,
    TaxRate,
    TaxRates,
    ValidationError,
)
from subscriptions.customer_files import RowError
from subscriptions.decisions import Change
from subscriptions.errors import GatewayError
from subscriptions.events import Recorded
from subscriptions.gateways import PaymentGateway
from subscriptions.gateways.fake import FakeGateway
from subscriptions.payment_methods import MethodDetails
from subscriptions.storage import Storage
from subscriptions.storage.memory import MemoryUnitOfWork

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
HEAD = (
    "external_id,name,number,country,gateway,payment_token,product,amount,currency,interval,"
    "paid_until,trial_until,start,anchor"
)
FILE = f"""{HEAD}
c1,Ada,,DE,card,tok_visa,Team,29.00,EUR,month,2027-01-31,,2026-01-31,31
c2,Grace,,US,transfer,,Team,29.00,EUR,month,2027-01-15,,,
c3,Mary,000001,DE,card,tok_visa,Team,290.00,EUR,year,,2027-01-10,2026-12-27,
c4,Joan,,DE,,,Solo,9.00,EUR,week,,,2027-02-01,
c5,Edith,,DE,,,,,,,,,,
"""


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
        return
    made = SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}")
    yield made
    made.close()


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def billing(storage: Storage, gateway: FakeGateway) -> Billing:
    return Billing(storage=storage, gateways={"card": gateway}, clock=lambda: NOW)


def written(billing: Billing) -> list[str]:
    return [event.id for event in billing.events.list(limit=10_000)]


def test_a_row_makes_customer_method_price_and_subscription(billing: Billing) -> None:
    report = billing.customers.import_(FILE)
    assert (report.rows, report.created, report.unchanged, report.errors) == (5, 5, 0, ())
    ada = billing.customers.list(external_id="c1").items[0]
    (method,) = billing.payment_methods.list(customer=ada.id)
    assert ada.default_method == method.id
    (running,) = billing.subscriptions.list(external_id="c1")
    assert (running.customer, running.status) == (ada.id, "active")
    assert running.due_day == date(2027, 1, 31)
    assert [price.name for price in billing.catalog.list()] == ["Team", "Team", "Solo"]
    assert [each.status for each in billing.subscriptions.list()].count("trialing") == 1
    assert billing.subscriptions.list(external_id="c4").items[0].status == "scheduled"


def test_numbers_given_by_hand_are_kept_and_the_range_passes_them_by(billing: Billing) -> None:
    billing.customers.import_(FILE)
    numbers = {each.external_id: each.number for each in billing.customers.list()}
    assert numbers["c3"] == "000001"
    assert sorted(numbers.values(), key=str) == [f"{n:06}" for n in range(1, 6)]


def test_nothing_is_charged_or_invoiced_by_an_import(
    billing: Billing, gateway: FakeGateway
) -> None:
    overdue = HEAD + "\nc1,Ada,,DE,card,tok_visa,Team,29.00,EUR,month,2026-11-15,,,"
    assert billing.customers.import_(overdue).created == 1
    assert gateway.charges == ()
    assert billing.invoices.list().total == 0
    billing.run()
    assert [str(each.period) for each in billing.invoices.list()] == [
        "2026-11-15/2026-12-15",
        "2026-12-15/2027-01-15",
    ]


def test_a_month_end_is_billed_as_the_anchor_says(billing: Billing) -> None:
    billing.customers.import_(FILE)
    billing.run(until=date(2027, 4, 30))
    ada = billing.customers.list(external_id="c1").items[0]
    starts = [each.period.start for each in billing.invoices.list(customer=ada.id) if each.period]
    assert starts == [date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30)]


def test_a_second_import_writes_nothing(billing: Billing, gateway: FakeGateway) -> None:
    billing.customers.import_(FILE)
    before = written(billing)
    methods = billing.payment_methods.list().items
    report = billing.customers.import_(FILE)
    assert (report.rows, report.created, report.unchanged) == (5, 0, 5)
    assert written(billing) == before
    assert billing.payment_methods.list().items == methods


def test_a_second_import_goes_on_where_the_first_one_ended(billing: Billing) -> None:
    lines = FILE.splitlines()
    billing.customers.import_("\n".join([lines[0], *lines[3:5]]))
    report = billing.customers.import_(FILE)
    assert (report.created, report.unchanged) == (3, 2)


BAD = f"""{HEAD}
c1,Ada,,DE,card,tok_visa,Team,29.00,EUR,month,2027-01-31,,,
c2,,,DE,,,Team,x,EUR,month,2027-01-31,,,
c3,Mary,,DE,cash,tok_visa,Team,29.00,EUR,month,2027-01-31,,,
c4,Joan,,DE,card,,Team,29.00,EUR,month,2027-01-31,,,
c5,Edith,,DE,card,tok_unheard_of,Team,29.00,EUR,month,2027-01-31,,,
c6,Emmy,,DE,,,Team,29.00,EUR,month,,2026-12-31,,
c7,Lise,,DE,,,Team,29.00,EUR,month,,,2026-12-31,
c8,Hedy,,DE,,,Team,29.00,EUR,month,2017-01-31,,,
c9,Nina,,FR,,,Team,29.00,EUR,month,2027-01-31,,,
c10,Otto,taken,DE,,,Team,29.00,EUR,month,2027-01-31,,,
known,Else,,DE,,,Team,29.00,EUR,month,2027-01-31,,,
"""


@pytest.fixture
def strict(storage: Storage, gateway: FakeGateway) -> Billing:
    taxes = TaxRates({"DE": TaxRate("19")})
    made = Billing(storage=storage, gateways={"card": gateway}, taxes=taxes, clock=lambda: NOW)
    made.customers.create(name="Known", external_id="known", number="taken")
    return made


def test_a_wrong_row_leaves_nothing_and_costs_nobody_else(strict: Billing) -> None:
    report = strict.customers.import_(BAD)
    assert (report.rows, report.created, report.unchanged) == (11, 1, 0)
    assert [(error.row, error.field) for error in report.errors] == [
        (3, "name"),
        (3, "amount"),
        (4, "gateway"),
        (5, "payment_token"),
        (6, "payment_token"),
        (7, "trial_until"),
        (8, "paid_until"),
        (9, "paid_until"),
        (10, "country"),
        (11, "number"),
        (12, "external_id"),
    ]
    assert {each.external_id for each in strict.customers.list()} == {"known", "c1"}
    assert strict.subscriptions.list().total == 1
    assert strict.payment_methods.list().total == 1


def test_a_dry_run_reports_the_same_and_changes_nothing(
    strict: Billing, gateway: FakeGateway
) -> None:
    before = written(strict)
    dry = strict.customers.import_(BAD, dry_run=True)
    assert dry.dry_run
    assert written(strict) == before
    real = strict.customers.import_(BAD)
    assert (dry.rows, dry.created, dry.unchanged) == (real.rows, real.created, real.unchanged)
    assert dry.errors == real.errors
    # Nor did the gateway notice: the second of two methods for one token would be another one.
    assert strict.payment_methods.list().items[0].details.reference.count(".") == 1


def test_prices_are_found_or_made_once(billing: Billing) -> None:
    host = billing.catalog.add_price("Team", Money.of("29.00", "EUR"), every=Interval.months(1))
    billing.catalog.archive(host.id)
    rows = [
        f"c{n},N,,DE,,,Team,{29 + n % 2}.00,EUR,month,2027-01-{n % 28 + 1:02},,,"
        for n in range(600)
    ]
    report = billing.customers.import_("\n".join([HEAD, *rows]))
    assert report.created == 600
    prices = list(billing.catalog.list())
    assert len(prices) == 2
    used = [each.items[0].price for each in billing.subscriptions.list()]
    assert used.count(host.id) == 300


def test_an_import_takes_no_price_of_another_customer_and_none_with_other_terms(
    billing: Billing,
) -> None:
    add, amount, monthly = billing.catalog.add_price, Money.of("29.00", "EUR"), Interval.months(1)
    add("Team", amount, every=monthly, setup=Money.of("5.00", "EUR"))
    dear = add("Team", Money.of("99.00", "EUR"), every=monthly)
    bob = billing.customers.create(name="Bob")
    billing.catalog.override(dear.id, bob.id, amount)
    rows = [f"c{n},N,,DE,,,Team,29.00,EUR,month,2027-01-31,,," for n in range(2)]
    assert billing.customers.import_("\n".join([HEAD, *rows])).created == 2
    assert billing.catalog.list().total == 4
    made = billing.catalog.list().items[-1]
    assert {each.items[0].price for each in billing.subscriptions.list()} == {made.id}


def test_an_import_takes_the_version_that_costs_the_same(billing: Billing) -> None:
    monthly = Interval.months(1)
    old = billing.catalog.add_price("Team", Money.of("29.00", "EUR"), every=monthly)
    new = billing.catalog.new_version(old.id, Money.of("35.00", "EUR"))
    rows = [f"c{n},N,,DE,,,Team,{n}.00,EUR,month,2027-01-31,,," for n in (29, 35)]
    assert billing.customers.import_("\n".join([HEAD, *rows])).created == 2
    used = [each.items[0].price for each in billing.subscriptions.list()]
    assert used == [old.id, new.id]


def test_a_name_of_a_product_may_have_prices_of_any_kind(billing: Billing) -> None:
    rows = [
        "a,N,,DE,,,Team,29.00,EUR,month,2027-01-31,,,",
        "b,N,,DE,,,Team,29.00,USD,month,2027-01-31,,,",
        "c,N,,DE,,,Team,29.00,EUR,year,2027-01-31,,,",
        "d,N,,DE,,,Team,29.00,EUR,1 month,2027-01-31,,,",
    ]
    assert billing.customers.import_("\n".join([HEAD, *rows])).created == 4
    assert billing.catalog.list().total == 3


def test_an_import_in_a_transaction_is_part_of_it(billing: Billing) -> None:
    class Stop(Exception):
        pass

    def import_and_stop() -> None:
        with billing.transaction():
            billing.customers.import_(FILE)
            assert billing.customers.list().total == 5
            raise Stop

    with pytest.raises(Stop):
        import_and_stop()
    assert billing.customers.list().total == 0
    with billing.transaction():
        billing.customers.import_(FILE)
    assert billing.customers.list().total == 5


class Failing(MemoryStorage):
    """A storage whose commits fail with a conflict as long as a certain customer is in them."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def begin(self) -> MemoryUnitOfWork:
        unit = super().begin()
        write = unit.write

        def failing(changes: Sequence[Change], events: Sequence[Recorded]) -> None:
            write(changes, events)
            if self.times and any(getattr(c.after, "external_id", "") == "c2" for c in changes):
                self.times -= 1
                raise Conflict("customer", "c2", 0)

        unit.write = failing  # type: ignore[method-assign]
        return unit


def test_a_batch_that_fails_is_committed_row_by_row() -> None:
    billing = Billing(storage=Failing(times=99), clock=lambda: NOW)
    report = billing.customers.import_(FILE)
    assert (report.created, [error.row for error in report.errors]) == (4, [3])
    assert "c2" not in {each.external_id for each in billing.customers.list()}


def test_a_conflict_that_passes_is_no_error() -> None:
    billing = Billing(storage=Failing(times=2), clock=lambda: NOW)
    assert billing.customers.import_(FILE).errors == ()


def test_a_gateway_that_does_not_answer_costs_only_its_rows() -> None:
    class Silent(FakeGateway):
        def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
            raise GatewayError(f"no answer about {token} of {customer_ref}")

    billing = Billing(gateways={"card": Silent()}, clock=lambda: NOW)
    report = billing.customers.import_(FILE)
    assert [(error.row, error.field) for error in report.errors] == [
        (2, "payment_token"),
        (4, "payment_token"),
    ]
    assert report.created == 3
    assert "import the file again" in report.errors[0].message


def test_a_dry_run_does_not_take_tokens_where_a_gateway_cannot_check_them() -> None:
    gateway = FakeGateway()

    class Plain:
        """The port and nothing else."""

        def __getattr__(self, name: str) -> object:
            assert name != "attach"
            if name == "check_token":
                raise AttributeError(name)
            return getattr(gateway, name)

    billing = Billing(gateways={"card": cast("PaymentGateway", Plain())}, clock=lambda: NOW)
    report = billing.customers.import_(BAD.replace("tok_visa", "tok_nope"), dry_run=True)
    assert "tok_nope" not in str(report.errors)


def test_what_fails_in_a_transaction_fails_the_transaction() -> None:
    billing = Billing(storage=Failing(times=99), clock=lambda: NOW)
    with pytest.raises(Conflict), billing.transaction():
        billing.customers.import_(FILE)
    assert billing.customers.list().total == 0


def test_a_source_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="source"):
        Billing().customers.import_(7)  # type: ignore[arg-type]


def test_methods_are_asked_for_at_once_where_a_gateway_allows_it() -> None:
    billing = Billing(gateways={"card": FakeGateway(in_flight_max=8)}, clock=lambda: NOW)
    assert billing.customers.import_(FILE).errors == ()


def test_a_source_is_a_text_bytes_a_path_or_an_open_file(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("\ufeff" + FILE, encoding="utf-8")
    with path.open("rb") as opened:
        for source in (FILE, FILE.encode("utf-8-sig"), path, io.StringIO(FILE), opened):
            assert Billing(clock=lambda: NOW).customers.import_(source).created == 5
    as_json = tmp_path / "customers.json"
    as_json.write_text('[{"external_id": "c1", "name": "Ada"}]', encoding="utf-8")
    assert Billing().customers.import_(as_json).created == 1
    with pytest.raises(FileNotFoundError):
        Billing().customers.import_(tmp_path / "none.csv")


def test_bytes_that_are_not_utf_8_are_an_error_of_the_file() -> None:
    report = Billing().customers.import_("external_id,name\nc1,Zoë\n".encode("latin-1"))
    assert report.errors == (RowError(2, "file", "byte eb", "UTF-8; save it as 'CSV UTF-8'"),)


def test_asynchronous_hosts_import_too() -> None:
    async def host() -> None:
        billing = AsyncBilling(clock=lambda: NOW)
        assert (await billing.customers.import_(FILE, dry_run=True)).created == 5
        assert (await billing.customers.import_(FILE)).created == 5
        assert (await billing.customers.import_(FILE)).unchanged == 5
        assert (await billing.reports.mrr(date(2027, 1, 1)))["EUR"]
        await billing.run(until=date(2027, 2, 28))
        assert await billing.reports.numbers() == ()
        assert await billing.invoices.verify() == ()
        page = await billing.invoices.list()
        assert "Team" in await billing.invoices.text(page.items[0].id)

    asyncio.run(host())
