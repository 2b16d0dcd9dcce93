"""The demonstration: 500 invented customers, a year of billing, and what came of it.

A second call goes on where the file is: the import finds everybody there already, and the months
that follow are billed. The story is the same each time, because nothing in it is left to chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.resources import as_file, files
from time import perf_counter

from rich.console import Console

from subscriptions import Billing
from subscriptions.billing_cycles import BillingCycle, Interval, local_date
from subscriptions.cli import screen
from subscriptions.cli.bank import STATEMENT_AT, Bank
from subscriptions.cli.figures import Figures, Month
from subscriptions.cli.workplace import SELLER, Workplace, open_file
from subscriptions.events import Recorded
from subscriptions.frozen import frozen
from subscriptions.invoices import Invoice
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.storage import due

FIRST_DAY = date(2027, 1, 1)
"""The day of which the data are."""


def demo(database: str, *, months: int, to: Console) -> None:
    """Import the data, bill so many months, and show what came of it."""
    began = perf_counter()
    work = open_file(database, must_exist=False)
    first = _first_day(work.billing)
    days = _days(first, months)
    _import(work, first, to)
    if first > FIRST_DAY:
        to.print(f"This file was billed before; it goes on with [bold]{first:%B %Y}[/].")
    figures = _bill(work, days, to)
    shown = [figures.month(name) for name in dict.fromkeys(f"{day:%Y-%m}" for day in days)]
    seconds = perf_counter() - began
    _show(work.billing, shown, to)
    for parked in figures.parked:
        to.print(f"[red]set aside: {parked.kind} {parked.id}: {parked.reason}[/]")
    to.print(f"{len(days)} days of billing took {seconds:.1f} s.")
    _say_what_next(work.billing, database, days[-1], to)


def _first_day(billing: Billing) -> date:
    """Return the first of the month in which a subscription falls due next; all before is done."""
    engine = billing.engine
    distant = datetime(9999, 1, 1, tzinfo=UTC)
    found = engine.storage.find(due(SUBSCRIPTION, engine.tenant, now=distant, limit=1)).items
    if not found or found[0].due_at is None:
        return FIRST_DAY
    return local_date(found[0].due_at, SELLER.zone).replace(day=1)


def _days(first: date, months: int) -> list[date]:
    end = BillingCycle(first, Interval.months(1)).start(months)
    return [first + timedelta(days=n) for n in range((end - first).days)]


def _import(work: Workplace, first: date, to: Console) -> None:
    at = datetime(first.year, first.month, 1, tzinfo=UTC)
    with as_file(files("subscriptions.cli") / "customers.csv") as path:
        report = work.billing.customers.import_(path, at=at)
    assert not report.errors, report.errors
    countries = len({customer.country for customer in work.billing.customers.list(limit=1000)})
    known = f", {report.unchanged:,} known already" if report.unchanged else ""
    to.print(
        f"[bold]{report.rows:,} customers[/] in {countries} countries: "
        f"{report.created:,} imported{known}."
    )


def _bill(work: Workplace, days: Sequence[date], to: Console) -> Figures:
    billing, clock = work.billing, work.clock
    assert clock is not None
    figures = Figures(SELLER.zone)
    bank = Bank(billing, days[0].year)
    bank.open_account()

    def hears(event: Recorded) -> None:
        figures.hears(event)
        bank.hears(event)

    billing.events.subscribe(hears, name="demo")
    with screen.progress(to) as bar:
        task = bar.add_task("billing", total=len(days), now="")
        for day in days:
            clock.now = datetime.combine(day, STATEMENT_AT)
            figures.parked += billing.run(until=clock.now).parked
            bank.statement(day)
            month = figures.month(f"{day:%Y-%m}")
            if (day + timedelta(days=1)).day == 1:
                figures.parked += billing.run(until=day).parked
                month.mrr = dict(billing.reports.mrr(day))
            bar.update(task, advance=1, now=f"{day:%B %Y}  {month.invoices:,} invoices")
    return figures


# ---- what is shown ----------------------------------------------------------------------------


def _show(billing: Billing, months: Sequence[Month], to: Console) -> None:
    currencies = screen.currencies_of(billing)
    for table in (
        screen.months_table(months, currencies),
        screen.currencies_table(months, currencies),
        screen.mrr_table(months, currencies),
    ):
        to.print()
        to.print(table)
    findings = billing.reports.numbers()
    invoices = billing.invoices.list(limit=1).total or 0
    to.print()
    verdict = "[green]no gap, no double, no change[/]" if not findings else f"[red]{findings}[/]"
    to.print(f"Audit of {invoices:,} invoices, their numbers and their chain of hashes: {verdict}.")


@frozen
class _Next:
    command: str
    purpose: str


def _say_what_next(billing: Billing, database: str, last: date, to: Console) -> None:
    shown = _an_invoice_to_show(billing)
    if shown is not None:
        to.print()
        to.rule(f"one of the invoices, {shown.number}", align="left", style="dim")
        to.print(billing.invoices.text(shown.id), markup=False)
        to.rule(style="dim")
    to.print()
    to.print(f"Everything is in [bold]{database}[/], a SQLite file. What to try next:")
    to.print()
    option = "" if database == "subscriptions-demo.db" else f" --database {database}"
    until = BillingCycle(last, Interval.months(1)).start(1)
    for line in _commands(option, shown, until):
        to.print(f"  {line.command}  [dim]# {line.purpose}[/]", soft_wrap=True)


def _commands(option: str, shown: Invoice | None, until: date) -> Iterator[_Next]:
    yield _Next(f"subscriptions invoices --status open{option}", "who owes")
    if shown is not None:
        command = f"subscriptions invoices --text {shown.number} --language en{option}"
        yield _Next(command, "the invoice above, in English")
    yield _Next(
        f"subscriptions run --until {until}{option}", "one month, in which no transfer arrives"
    )
    yield _Next(f"subscriptions demo{option}", "another year, from where this ended")


def _an_invoice_to_show(billing: Billing) -> Invoice | None:
    """Return the latest open invoice of somebody who pays by transfer and reads no English."""
    found: Invoice | None = None
    for invoice in billing.invoices.list(status="open", limit=1000):
        party = invoice.party
        if party is not None and invoice.terms_days and party.language.partition("-")[0] != "en":
            found = invoice
    return found
