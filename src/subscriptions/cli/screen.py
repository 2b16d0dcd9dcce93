"""What is shown: tables, bars and progress, at most 100 characters wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from subscriptions import Billing, Currency, Money
from subscriptions.cli.figures import Amounts, Month
from subscriptions.customer_files import RowError
from subscriptions.invoices import Invoice

WIDTH = 100
_BAR = 14
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def console() -> Console:
    """Return where results are written: as wide as the terminal, but not more than is pleasant."""
    made = Console(highlight=False)
    return Console(highlight=False, width=min(made.width, WIDTH) if made.is_terminal else WIDTH)


def progress(to: Console) -> Progress:
    """Return a progress bar that leaves nothing behind."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
        console=to,
        transient=True,
        disable=not to.is_terminal,
    )


def months_table(months: Sequence[Month], currencies: Sequence[str]) -> Table:
    """Show what happened in each month: invoices and totals, recoveries, losses, ends."""
    table = _table("Month by month: invoiced, and collected below it")
    table.add_column("month")
    table.add_column("invoices", justify="right")
    for code in currencies:
        table.add_column(code, justify="right")
    for name in ("recovered", "written off", "ended"):
        table.add_column(name, justify="right")
    for month in months:
        table.add_row(
            month.name,
            f"{month.invoices:,}",
            *(
                f"{amount(month.invoiced, code)}\n[dim]{amount(month.collected, code)}[/]"
                for code in currencies
            ),
            f"{month.recovered_count:,}",
            f"{month.written_off_count:,}",
            f"{month.ended:,}",
        )
    return table


def currencies_table(months: Sequence[Month], currencies: Sequence[str]) -> Table:
    """Show for each currency what was invoiced and what became of it."""
    table = _table("All months, by currency")
    table.add_column("")
    for name in ("invoiced", "collected", "of it recovered", "written off"):
        table.add_column(name, justify="right")
    for code in currencies:
        sums = [Amounts(), Amounts(), Amounts(), Amounts()]
        for month in months:
            parts = (month.invoiced, month.collected, month.recovered, month.written_off)
            for total, part in zip(sums, parts, strict=True):
                total.update(part)
        table.add_row(code, *(amount(each, code) for each in sums))
    return table


def mrr_table(months: Sequence[Month], currencies: Sequence[str]) -> Table:
    """Show the monthly recurring revenue as bars; the longest of a currency is its highest."""
    table = _table("Monthly recurring revenue, without tax, at the end of each month")
    table.add_column("month")
    for code in currencies:
        table.add_column(code, no_wrap=True)
        table.add_column("", justify="right")
    highest = {
        code: max((month.mrr[code].minor for month in months if code in month.mrr), default=0)
        for code in currencies
    }
    for month in months:
        cells: list[str] = []
        for code in currencies:
            minor = month.mrr[code].minor if code in month.mrr else 0
            cells += [f"[cyan]{bar(minor, highest[code])}[/]", amount(Amounts({code: minor}), code)]
        table.add_row(month.name, *cells)
    return table


def invoices_table(invoices: Iterable[Invoice], names: dict[str, str]) -> Table:
    """Show invoices, one in each line."""
    table = _table(None)
    for name in ("number", "issued", "due", "customer", "status"):
        table.add_column(name)
    table.add_column("total", justify="right")
    table.add_column("still due", justify="right")
    colors = {"paid": "green", "open": "yellow", "uncollectible": "red"}
    for invoice in invoices:
        status = invoice.status.value
        color = colors.get(status, "default")
        table.add_row(
            invoice.number or "(draft)",
            str(invoice.issued_on or ""),
            str(invoice.due_on or ""),
            names.get(invoice.customer, invoice.customer),
            f"[{color}]{status}[/]",
            str(invoice.total),
            str(invoice.amount_due) if invoice.amount_due else "",
        )
    return table


def error_lines(errors: Sequence[RowError], *, most: int = 20) -> list[str]:
    """Return one line for each wrong field, up to a limit that says what it leaves out."""
    lines = [str(error) for error in errors[:most]]
    if len(errors) > most:
        lines.append(f"… and {len(errors) - most:,} more")
    return lines


def bar(value: int, highest: int) -> str:
    """Return a bar of up to fourteen characters, in eighths.

    >>> bar(8, 8) == "█" * 14, bar(0, 8)
    (True, '')
    """
    eighths = 0 if highest <= 0 else max(value, 0) * _BAR * 8 // highest
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def amount(amounts: Amounts, code: str) -> str:
    """Return an amount as a table has it: with separators, without its currency."""
    money = Money(amounts[code], Currency(code))
    return f"{money.amount:,}" if money else "–"


def currencies_of(billing: Billing) -> list[str]:
    """Return the currencies that are sold in, in alphabetical order."""
    return sorted({price.currency.code for price in billing.catalog.list(limit=1000)})


def _table(title: str | None) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.header_style = "dim"
    table.padding = (0, 2, 0, 0)
    return table
