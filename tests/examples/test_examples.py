"""The examples run, and say what they should; their data are what their script makes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from runpy import run_path

import pytest

from subscriptions.customer_files import read
from subscriptions.gateways.fake import TOKENS

EXAMPLES = Path(__file__).parents[2] / "examples"
DATA = EXAMPLES / "data" / "customers.csv"

SAID = {
    "first_invoice": """\
INV-2027-00001 2027-01-31/2027-02-28 29.00 EUR paid
INV-2027-00002 2027-02-28/2027-03-31 29.00 EUR paid
INV-2027-00003 2027-03-31/2027-04-30 29.00 EUR paid
INV-2027-00004 2027-04-30/2027-05-31 29.00 EUR paid
""",
    "recovered_card": """\
INV-2027-00002 open after 3 attempts; dunning: running
the subscription is past_due
INV-2027-00002 paid after 4 attempts; dunning: stopped
the subscription is active
  attempt 1: declined
  attempt 2: declined
  attempt 3: declined
  attempt 4: succeeded
""",
    "host_transaction": """\
failed: mallory@example.com
accounts:  ada@example.com
customers: ada@example.com
invoice:   INV-2027-00001 29.00 EUR open
""",
}


@pytest.mark.parametrize("name", sorted(SAID))
def test_an_example_says_what_it_should(name: str) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == SAID[name]


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAID)


def test_the_data_are_what_their_script_makes() -> None:
    made = run_path(str(EXAMPLES / "data" / "make_customers.py"))["make"]()
    assert made.encode() == DATA.read_bytes()


def test_the_data_are_five_hundred_good_rows_of_all_kinds() -> None:
    count, rows, errors = read(DATA.read_text(encoding="utf-8"), format="csv")
    assert (count, len(rows), errors) == (500, 500, ())
    subscriptions = [row.subscription for row in rows if row.subscription is not None]
    assert {each.unit_price.currency.code for each in subscriptions} == {"EUR", "GBP", "USD"}
    assert len({row.customer.address.country for row in rows}) == 8
    assert {str(each.cycle.every) for each in subscriptions} == {"1 month", "1 year", "1 week"}
    month_ends = Counter(each.cycle.anchor.day for each in subscriptions)
    assert all(month_ends[day] for day in (28, 29, 30, 31))
    assert sum(each.trial_until is not None for each in subscriptions) > 20
    tokens = Counter(row.method.token for row in rows if row.method is not None)
    assert set(tokens) <= {*TOKENS, ""}
    for token in (
        "",
        "tok_visa",
        "tok_sepa_debit",
        "tok_insufficient_funds_twice",
        "tok_lost_card",
    ):
        assert tokens[token]
    mails = [row.customer.email or "" for row in rows]
    assert all(mail.endswith(("@example.com", "@example.org")) for mail in mails)
