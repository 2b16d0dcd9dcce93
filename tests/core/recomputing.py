"""The arithmetic of an explanation, done again: in fractions, and with a rounding of its own."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from subscriptions.invoices import Explanation, Line
from subscriptions.taxes import TaxBehavior


def rounded(minor: Fraction) -> int:
    """Return the nearest whole number, a half away from zero."""
    size = floor(abs(minor) + Fraction(1, 2))
    return size if minor >= 0 else -size


def recompute(line: Line, explained: Explanation) -> None:
    """Do every step again that an explanation shows, and come to what the line says."""
    whole = Fraction(explained.whole_minor)
    if explained.priced is not None:
        priced = explained.priced
        exact = Fraction()
        for part in priced.parts:
            assert Fraction(part.quantity) * Fraction(part.unit_price) == Fraction(part.amount)
            exact += Fraction(part.amount) * 10**line.currency.exponent
        assert exact == priced.exact_minor
        assert rounded(exact) == priced.amount_minor == whole
        assert priced.rounding_minor == whole - exact
    base = whole
    if explained.portion is not None:
        portion = explained.portion
        assert portion.whole_minor == whole
        assert (
            portion.periods + Fraction(portion.numerator, portion.denominator) == portion.fraction
        )
        assert portion.fraction == portion.end - portion.begin
        base = Fraction(rounded(whole * portion.end) - rounded(whole * portion.begin))
        assert base == portion.amount_minor == portion.until_end_minor - portion.until_begin_minor
        assert portion.exact_minor + portion.rounding_minor == base
        assert abs(portion.rounding_minor) <= 1
    if explained.deduction is not None:
        base -= explained.deduction.amount_minor
    assert base == explained.amount_minor == line.amount_minor
    taxable = base - sum(share.amount_minor for share in explained.discounts)
    assert taxable == explained.taxable_minor
    assert taxable - explained.tax_inside_minor == explained.net_minor == line.net_minor
    if line.behavior is TaxBehavior.EXCLUSIVE:
        assert explained.tax_inside_minor == 0
    assert explained.discounts == line.discounts
    assert (explained.usage, explained.credits) == (line.usage, line.credits)
