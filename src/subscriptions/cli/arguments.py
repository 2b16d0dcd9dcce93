"""The words of the command line."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from datetime import date

DATABASE = "subscriptions-demo.db"

_DESCRIPTION = """\
Subscription billing in a SQLite file, for trying the library out.

  subscriptions demo                  bill 500 invented customers for a year
  subscriptions invoices --status open
  subscriptions import customers.csv --dry-run
  subscriptions run --until 2028-06-30
"""
_EPILOG = """\
All commands work on the tenant "demo" of the file, with an invented seller, a table of VAT rates
and a scripted gateway that moves no money. With --app they use your own Billing instead:

  subscriptions run --app shop.billing:billing
"""
_IMPORT = """\
Import customers with their ways to pay and running subscriptions from a CSV or JSON file.

A row is stored whole or not at all. A row that is known by its external ids stays as it is, so an
import may be repeated. Nothing is charged and nobody is written to. Columns:

  external_id name company email tax_id number language zone tags metadata.x
  address_line1 address_line2 postal_code city region country
  gateway payment_token                    how the customer pays; none: by bank transfer
  product amount currency interval         the price: Team 29.00 EUR month
  quantity tax_behavior                    else 1 and exclusive
  paid_until or trial_until, start         the first day that is not paid, or not on trial
  anchor subscription_external_id          the day periods are counted from: 2024-01-31, or 31
"""


def parse(arguments: Sequence[str] | None = None) -> Namespace:
    """Return the command and its arguments; a wrong one ends the program with the exit code 2."""
    return _parser().parse_args(arguments)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        "subscriptions",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="bill 500 invented customers for a year, and show what came of it",
        description="Bill 500 invented customers for a year, and show what came of it. "
        "Called again, it goes on from where the file is.",
    )
    _database(demo, app=False)
    demo.add_argument(
        "--months",
        type=_up_to(120, "a number of months"),
        default=12,
        metavar="N",
        help="how many months (12)",
    )

    import_ = commands.add_parser(
        "import",
        help="import running customers from CSV or JSON",
        description=_IMPORT,
        formatter_class=RawDescriptionHelpFormatter,
    )
    import_.add_argument("file", metavar="FILE", help="a .csv or .json file in UTF-8")
    import_.add_argument(
        "--dry-run", action="store_true", help="store nothing; say what would be, and what is wrong"
    )
    import_.add_argument(
        "--on", type=_day, metavar="DATE", help="import as if it were this day (today)"
    )
    _database(import_)

    run = commands.add_parser(
        "run",
        help="do everything that falls due: bill, charge, remind, end",
        description="Do everything that falls due, day by day: bill, charge, remind, end. "
        "Doing it again does nothing twice.",
    )
    run.add_argument("--until", type=_day, metavar="DATE", help="the last day (now)")
    _database(run)

    invoices = commands.add_parser(
        "invoices",
        help="list invoices, or show one as text",
        description="List invoices, the latest last, or show one as text.",
    )
    invoices.add_argument(
        "--customer", metavar="ID", help="of a customer: id, number or external id"
    )
    invoices.add_argument(
        "--status",
        choices=("draft", "open", "paid", "void", "uncollectible"),
        help="with this status",
    )
    invoices.add_argument(
        "--limit", type=_up_to(10_000, "a number"), default=20, metavar="N", help="at most N (20)"
    )
    invoices.add_argument("--text", metavar="NUMBER", help="show the invoice of this number")
    invoices.add_argument("--language", metavar="TAG", help="in this language, such as de or fr")
    _database(invoices)
    return parser


def _database(parser: ArgumentParser, *, app: bool = True) -> None:
    parser.add_argument(
        "--database", default=DATABASE, metavar="FILE", help=f"a SQLite file ({DATABASE})"
    )
    if app:
        parser.add_argument(
            "--app",
            metavar="MODULE:NAME",
            help="your own Billing instead, such as shop.billing:billing",
        )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"a day such as 2027-12-31, not {text!r}") from None


def _up_to(most: int, what: str) -> Callable[[str], int]:
    """Return what reads a whole number from 1 to `most`."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
            raise ArgumentTypeError(f"{what} from 1 to {most}, not {text!r}")
        return int(text)

    return read
