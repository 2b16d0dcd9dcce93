"""The commands, one function each; what they do is the library's."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import UTC, date, datetime, time
from pathlib import Path

from subscriptions import Billing, StorageError
from subscriptions.cli import screen
from subscriptions.cli.demo import demo
from subscriptions.cli.workplace import Workplace, open_app, open_file, open_nothing
from subscriptions.customers import Customer
from subscriptions.engine.run_reports import RunReport
from subscriptions.errors import DomainError, NotFound, SubscriptionsError, ValidationError
from subscriptions.invoices import Invoice

MISTAKE = 2
FAILURE = 1
INTERRUPTED = 130


def carry_out(arguments: Namespace) -> int:
    """Carry a command out; a mistake or a failure is one line on stderr."""
    commands = {"demo": _demo, "import": _import, "run": _run, "invoices": _invoices}
    try:
        return commands[arguments.command](arguments)
    except (DomainError, NotFound) as error:
        return _fail(str(error), MISTAKE)
    except OSError as error:
        return _fail(f"{error.filename or 'file'}: {error.strerror or error}", MISTAKE)
    except StorageError as error:
        return _fail(f"{arguments.database}: {error}", FAILURE)
    except SubscriptionsError as error:
        return _fail(str(error), FAILURE)
    except KeyboardInterrupt:
        return _fail("stopped; nothing is lost, the same command goes on from here", INTERRUPTED)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"subscriptions: {' '.join(message.split())}\n")
    return code


def _open(arguments: Namespace, *, must_exist: bool = True) -> Workplace:
    if arguments.app is not None:
        return open_app(arguments.app)
    return open_file(arguments.database, must_exist=must_exist)


def _demo(arguments: Namespace) -> int:
    demo(arguments.database, months=arguments.months, to=screen.console())
    return 0


def _import(arguments: Namespace) -> int:
    path = Path(arguments.file)
    path.stat()  # before a database is made
    trying_out = (
        arguments.dry_run and arguments.app is None and not Path(arguments.database).exists()
    )
    work = open_nothing() if trying_out else _open(arguments, must_exist=False)
    billing = work.billing
    at = None
    if arguments.on is not None:
        at = datetime.combine(arguments.on, time(tzinfo=UTC))
    report = billing.customers.import_(path, dry_run=arguments.dry_run, at=at)
    would = "would be " if report.dry_run else ""
    failed = len({error.row for error in report.errors})
    to = screen.console()
    to.print(
        f"{report.rows:,} rows: {report.created:,} {would}created, "
        f"{report.unchanged:,} known already, {failed:,} wrong"
    )
    if report.errors:
        for line in screen.error_lines(report.errors):
            sys.stderr.write(f"{arguments.file}: {line}\n")
        return MISTAKE
    if not report.dry_run and report.created and arguments.app is None:
        to.print(f"next: subscriptions run --database {arguments.database} --until DATE")
    return 0


def _run(arguments: Namespace) -> int:
    work = _open(arguments)
    billing = work.billing
    now = billing.engine.clock()
    last: date = arguments.until or now.date()
    to = screen.console()
    with screen.progress(to) as bar:
        first: date | None = None
        task = bar.add_task("billing", total=None, now="")

        def day_begins(day: date, report: RunReport) -> None:
            nonlocal first
            first = first or day
            total = max((last - first).days + 1, 1)
            done = min((day - first).days + 1, total)
            text = f"{day}  {report.invoices:,} invoices"
            bar.update(task, total=total, completed=done, now=text)

        report = billing.run(arguments.until, progress=day_begins)
    to.print(
        f"{report.days:,} days with work until {last}: {report.invoices:,} invoices, "
        f"{report.payments_succeeded:,} payments, {report.payments_failed:,} declined, "
        f"{report.ended:,} subscriptions ended"
    )
    for parked in report.parked:
        sys.stderr.write(f"parked {parked.kind} {parked.id}: {parked.reason}\n")
    return FAILURE if report.parked else 0


def _invoices(arguments: Namespace) -> int:
    billing = _open(arguments).billing
    to = screen.console()
    if arguments.text is not None:
        found = billing.invoices.list(number=arguments.text, limit=1).items
        if not found:
            raise ValidationError("--text", arguments.text, "the number of an invoice")
        sys.stdout.write(billing.invoices.text(found[0].id, language=arguments.language))
        return 0
    customer = None if arguments.customer is None else _customer(billing, arguments.customer)
    page = billing.invoices.list(
        customer=None if customer is None else customer.id, status=arguments.status, limit=1000
    )
    latest: list[Invoice] = [*page][-arguments.limit :]
    if not latest:
        to.print("no invoices")
        return 0
    ids = {each.customer for each in latest}
    names: dict[str, str] = {id: billing.customers.get(id).name for id in ids}
    to.print(screen.invoices_table(latest, names))
    left_out = (page.total or 0) - len(latest)
    if left_out:
        to.print(f"and {left_out:,} earlier ones; --limit shows more")
    return 0


def _customer(billing: Billing, name: str) -> Customer:
    for found in (
        billing.customers.list(external_id=name, limit=1),
        billing.customers.list(number=name, limit=1),
    ):
        if found.items:
            return found.items[0]
    try:
        return billing.customers.get(name)
    except NotFound:
        raise ValidationError("--customer", name, "an id, number or external id") from None
