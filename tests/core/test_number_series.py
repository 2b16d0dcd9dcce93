"""The record of a series stands where its last number left it, and its time never moves back."""

from __future__ import annotations

from datetime import timedelta

from subscriptions.invoice_numbering import Series
from subscriptions.number_series import NumberSeries, advanced
from subscriptions.testing.builders import AT, START, a_number_series

OPENING = Series("INV-{counter}")


def test_the_first_number_makes_the_record() -> None:
    _, series = OPENING.next(on=START)
    stands = advanced(None, id="s", tenant="acme", series=series, last_hash="h", last_at=AT)
    assert stands == NumberSeries(stands.id, "acme", 1, series, "h", AT)
    assert stands.id == "s"


def test_a_further_number_moves_it_on() -> None:
    before = a_number_series()
    _, series = before.series.next(on=START)
    later = AT + timedelta(days=1)
    stands = advanced(
        before, id=before.id, tenant="acme", series=series, last_hash="h2", last_at=later
    )
    assert (stands.version, stands.series, stands.last_hash) == (2, series, "h2")
    assert stands.last_at == later


def test_its_time_never_moves_back() -> None:
    for known in (None, AT):
        before = a_number_series(last_at=known)
        stands = advanced(
            before,
            id=before.id,
            tenant="acme",
            series=before.series,
            last_hash="",
            last_at=AT - timedelta(hours=1),
        )
        assert stands.last_at == (known or AT - timedelta(hours=1))
