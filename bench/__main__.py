"""Measure the billing run and the import beside their bounds: `python -m bench`.

Each figure of ours is taken in turn with its bound, month by month in one process run, and given as
the median of the paired ratios. Prints a table and writes `bench-results.json`.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

from attrs import asdict, frozen

from bench import floors
from subscriptions import Billing, Interval, Money, Seller, SqlStorage, TaxRate, TaxRates
from subscriptions.storage import Storage

MONTHS = 5
BATCH = 1000


@frozen
class Figure:
    """One measured figure: ours a second, the bound a second, and the median of the ratios."""

    name: str
    ours: float
    bound: float
    ratio: float
    bound_name: str


def billing_of(count: int, storage: Storage | None, *, charged: bool) -> Billing:
    """Return a billing with `count` monthly subscriptions of one line and one tax rate.

    `charged` customers have a card, so that each invoice is also paid; the others pay by transfer,
    and no invoice falls overdue while it is measured.
    """
    billing = Billing(
        storage=storage,
        seller=Seller(name="Bench", zone="Europe/Berlin", terms_days=365),
        taxes=TaxRates({"DE": TaxRate("19")}),
        clock=lambda: datetime(2026, 12, 1, tzinfo=UTC),
    )
    price = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    for first in range(0, count, BATCH):
        with billing.transaction():
            for i in range(first, min(count, first + BATCH)):
                customer = billing.customers.create(name=f"Customer {i}", country="DE")
                if charged:
                    billing.payment_methods.attach(customer.id, token="tok_visa")
                start = date(2027, 1, 1 + i % 28)
                billing.subscriptions.create(customer.id, [price.id], start=start)
    return billing


def paired(
    name: str,
    bound_name: str,
    *,
    ours: Callable[[int], int],
    bound: Callable[[], object],
    count: int,
    prepare: Callable[[], object] = bool,
) -> Figure:
    """Measure ours and the bound in turn, once a month; `prepare` is not part of the bound."""
    rates: list[tuple[float, float]] = []
    for month in range(MONTHS):
        prepare()
        gc.collect()
        started = perf_counter()
        bound()
        bound_seconds = (perf_counter() - started) / count
        gc.collect()
        started = perf_counter()
        invoices = ours(month)
        our_seconds = (perf_counter() - started) / invoices
        if invoices != count:
            raise SystemExit(f"{name}: {invoices} invoices instead of {count}")
        rates.append((our_seconds, bound_seconds))
    return Figure(
        name,
        1 / median(ours for ours, _ in rates),
        1 / median(bound for _, bound in rates),
        median(ours / bound for ours, bound in rates),
        bound_name,
    )


def month_of(billing: Billing) -> Callable[[int], int]:
    """Return what runs one month and says how many invoices it made."""
    return lambda month: billing.run(until=date(2027, 1 + month, 28)).invoices


def in_memory(count: int, *, charged: bool) -> Figure:
    """Measure the run in memory against the minimal loop."""
    subs = [
        floors.Sub(f"sub_{i}", f"cus_{i}", date(2027, 1, 1 + i % 28), 0, 2900, 1)
        for i in range(count)
    ]
    billing = billing_of(count, None, charged=charged)
    name = f"run in memory, {'invoiced and charged' if charged else 'invoiced'}"
    return paired(
        name,
        "minimal loop",
        ours=month_of(billing),
        bound=lambda: floors.minimal_loop(subs),
        count=count,
    )


def on_sqlite(count: int, folder: Path, *, charged: bool) -> Figure:
    """Measure the durable run on SQLite against raw inserts of the same rows."""
    database = folder / f"bench-{charged}.db"
    storage = SqlStorage(f"sqlite:///{database}")
    billing = billing_of(count, storage, charged=charged)
    month = month_of(billing)
    month(0)
    tables = floors.rows_of_a_run(database)
    raw = floors.RawDatabase(folder / f"raw-{charged}.db", tables)

    return paired(
        f"run on SQLite, {'invoiced and charged' if charged else 'invoiced'}",
        "raw executemany",
        ours=lambda k: month(k + 1),
        bound=raw.insert,
        count=count,
        prepare=lambda: raw.prepare(BATCH),
    )


IMPORT = """
import sys, time
started = time.perf_counter()
import {}
print(time.perf_counter() - started, len(sys.modules))
"""


def import_cost() -> tuple[Figure, int, int]:
    """Measure `import subscriptions` against `import attrs`, each in a fresh process, in turn."""
    seconds: dict[str, list[float]] = {"subscriptions": [], "attrs": []}
    modules: dict[str, int] = {}
    for _ in range(9):
        for name, found in seconds.items():
            command = [sys.executable, "-c", IMPORT.format(name)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            taken, loaded = out.split()
            found.append(float(taken))
            modules[name] = int(loaded)
    pairs = zip(seconds["subscriptions"], seconds["attrs"], strict=True)
    figure = Figure(
        "import subscriptions (ms)",
        median(seconds["subscriptions"]) * 1000,
        median(seconds["attrs"]) * 1000,
        median(ours / bound for ours, bound in pairs),
        "import attrs (ms)",
    )
    return figure, modules["subscriptions"], modules["attrs"]


def main() -> None:
    """Measure everything, print the table, write the results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--subscriptions", type=int, default=10_000, metavar="N")
    count: int = parser.parse_args().subscriptions
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        imported, ours, theirs = import_cost()
        figures = [
            imported,
            in_memory(count, charged=False),
            in_memory(count, charged=True),
            on_sqlite(count, folder, charged=False),
            on_sqlite(count, folder, charged=True),
        ]
    print(f"{count} monthly subscriptions, one line, one tax rate; {platform.python_version()}")
    print(f"modules after import: subscriptions {ours}, attrs {theirs}")
    print(f"{'what':42} {'ours':>10} {'bound':>10} {'ratio':>7}  against")
    for each in figures:
        print(
            f"{each.name:42} {each.ours:10,.1f} {each.bound:10,.1f} {each.ratio:7.2f}"
            f"  {each.bound_name}"
        )
    results = {"subscriptions": count, "figures": [asdict(each) for each in figures]}
    Path("bench-results.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
