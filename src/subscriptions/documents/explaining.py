"""The arithmetic of a line as one sentence, in the language of its customer.

Every number comes from the explanation, so the sentence recomputes as that does. Nothing is decided
here but the words and their order.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, localcontext
from functools import reduce
from typing import assert_never

from babel import Locale

from subscriptions.credit_notes import CreditExplanation
from subscriptions.documents.formats import (
    day_format,
    locale_of,
    money_format,
    number_text,
    percent_text,
    price_format,
)
from subscriptions.documents.words import (
    ARITHMETIC,
    ArithmeticWords,
    Words,
    spoken,
    words_of,
)
from subscriptions.frozen import frozen
from subscriptions.invoices import DeductionReason, Explanation, Portion, Priced
from subscriptions.money import round_fraction
from subscriptions.pricing import PartKind, PricePart
from subscriptions.pricing.numbers import EXACT
from subscriptions.proration import ProrationUnit
from subscriptions.records import evolve
from subscriptions.taxes import TaxBehavior, TaxRate

_FREE = frozenset({PartKind.FREE, PartKind.FREE_TURNOVER, PartKind.FREE_EVENTS})
_AMOUNTS = frozenset({PartKind.UNITS, PartKind.FLAT})


def sentence(explanation: Explanation, *, language: str = "en") -> str:
    r"""Return how a line's amount comes about: what for, the arithmetic, the tax.

    `language` is a BCP 47 tag; the sentence is there in German, English, Spanish, French, Italian,
    Dutch and Polish, and in English for any other. What the explanation leaves open is not said.

    >>> from subscriptions.invoices import explain
    >>> from subscriptions.testing.builders import a_draft
    >>> line = a_draft().lines[0]
    >>> sentence(explain(line)).replace("\xa0", " ")
    'Pro, Jan 31, 2027 – Feb 27, 2027: €29.00, plus 19% VAT.'
    """
    return _sentence(explanation, None, language)


def credit_sentence(explanation: CreditExplanation, *, language: str = "en") -> str:
    r"""Return how the amount of a credit note's line comes about: charged, less what is not in it.

    `language` is as in `sentence`.

    >>> from subscriptions.credit_notes import explain
    >>> from subscriptions.testing.builders import a_credit_note, an_invoice
    >>> told = explain(a_credit_note(), 0, an_invoice(), [])
    >>> credit_sentence(told).partition(" (")[2].replace("\xa0", " ")
    'line 1 of invoice INV-inv_ada): €29.00, credited in full, plus 19% VAT.'
    """
    # What is credited is named as what was charged, and its tax is as the note has it.
    line = evolve(
        explanation.charged,
        credits=explanation.credits,
        credited_number=explanation.invoice_number,
        net_minor=explanation.net_minor,
    )
    return _sentence(line, explanation, language)


def _sentence(line: Explanation, taken: CreditExplanation | None, language: str) -> str:
    tag = spoken(language)
    words = ARITHMETIC[tag.partition("-")[0]]
    # No digit of a number is lost, whatever precision the host has set.
    with localcontext(EXACT):
        return _Telling(line, words_of(tag), words, locale_of(tag), taken).whole()


@frozen
class _Telling:
    """One explanation, with the words and the locale that it is told in."""

    line: Explanation
    names: Words
    words: ArithmeticWords
    locale: Locale
    taken: CreditExplanation | None = None
    """What a credit note takes off the line, if it is told of that."""

    def whole(self) -> str:
        arithmetic = f"{self.arithmetic()}{self.taken_off()}{self.tax()}"
        text = self.words.line.format(head=self.head(), text=arithmetic)
        # "USt." ends with a full stop of its own.
        return text if text.endswith(".") else f"{text}."

    def head(self) -> str:
        line = self.line
        text = self.names.line(line.kind, line.description)
        if line.period is not None:
            day = day_format(self.locale)
            days = f"{day(line.period.start)} – {day(line.period.end - timedelta(days=1))}"
            text = f"{text}, {days}"
        if line.credits is not None and line.credited_number is not None:
            place = line.credits.line + 1
            of = self.words.credited.format(line=place, number=line.credited_number)
            text = f"{text} ({of})"
        return text

    def arithmetic(self) -> str:
        """Return the steps from the price to what is taxed, each with what it comes to."""
        line, words = self.line, self.words
        if line.portion is None:
            text = self.price_parts() or self.money(line.whole_minor)
        else:
            text = self.portion(line.portion)
        if line.deduction is not None:
            text = f"{text}, {self.deduction(line.deduction.reason, line.deduction.amount_minor)}"
            text = f"{text} = {self.money(line.amount_minor)}"
        for share in line.discounts:
            amount = self.money(share.amount_minor)
            text = f"{text}, {words.discount.format(amount=amount, name=share.name)}"
        if line.discounts:
            text = f"{text} = {self.money(line.taxable_minor)}"
        return text

    def taken_off(self) -> str:
        """Return the steps from what was charged to what a credit note takes off."""
        taken, words = self.taken, self.words
        if taken is None:
            return ""
        steps: list[str] = []
        if taken.earlier:
            numbers = ", ".join([each.number or each.credit_note for each in taken.earlier])
            amount = self.money(taken.earlier_minor)
            steps.append(words.credited_earlier.format(amount=amount, numbers=numbers))
        if taken.left_minor:
            steps.append(words.not_credited.format(amount=self.money(taken.left_minor)))
        if not steps:
            return f", {words.credited_in_full}"
        return f", {', '.join(steps)} = {self.money(taken.amount_minor)}"

    def price_parts(self) -> str:
        """Return how the whole comes about, up to what it comes to; nothing if that is unknown."""
        line, words = self.line, self.words
        total = self.money(line.whole_minor)
        if line.priced is not None:
            if _is_minimum(line.priced):
                return self.minimum(line.priced)
            parts, exact = self.price_sum(line.priced)
            if not exact:
                return parts if _is_one(line.priced) else f"{parts} = {total}"
            rounded = words.rounded.format(exact=exact, amount=total)
            return rounded if parts == exact else f"{parts} = {rounded}"
        if line.usage is not None:
            count = number_text(self.locale, line.usage.quantity)
            return words.counted.format(amount=total, count=count, events=line.usage.events)
        return ""

    def minimum(self, priced: Priced) -> str:
        """Return what the quantity would cost, and the minimum that is more."""
        own = evolve(priced, parts=priced.parts[:-1])
        text, _ = self.price_sum(own)
        if not _is_one(own):
            text = f"{text} = {self.price(own.exact)}"
        return f"{text}, {self.price_part(priced.parts[-1], priced)}"

    def price_sum(self, priced: Priced) -> tuple[str, str]:
        """Return the parts of a price, and what they come to if that was rounded."""
        told = _told(priced)
        free = [self.price_part(part, priced) for part in told if part.kind in _FREE]
        charged = [self.price_part(part, priced) for part in told if part.kind not in _FREE]
        parts = ", ".join([*free, " + ".join(charged)] if charged else free)
        if not priced.rounding_minor:
            return parts, ""
        if _is_one(priced):
            return parts, parts
        return parts, self.price(priced.exact)

    def price_part(self, part: PricePart, priced: Priced) -> str:
        words = self.words
        count, price = number_text(self.locale, part.quantity), self.price(part.unit_price)
        match part.kind:
            case PartKind.UNITS:
                return price if _is_one(priced) else f"{count} × {price}"
            case PartKind.FLAT:
                if not _is_one(priced):
                    return words.flat.format(price=price)
                if priced.quantity == 1:
                    return price
                of = number_text(self.locale, priced.quantity)
                return words.flat_for.format(price=price, count=of)
            case PartKind.PACKAGES:
                free = [each.quantity for each in priced.parts if each.kind is PartKind.FREE]
                packed = reduce(EXACT.subtract, free, Decimal(priced.quantity))
                units = number_text(self.locale, packed)
                size = number_text(self.locale, part.size or 1)
                return words.packages.format(units=units, size=size, count=count, price=price)
            case PartKind.TURNOVER:
                rate = percent_text(self.locale, part.unit_price * 100)
                return words.turnover.format(rate=rate, amount=self.price(part.quantity))
            case PartKind.EVENTS:
                return words.events.format(count=count, price=price)
            case PartKind.MINIMUM:
                return words.at_minimum.format(count=count, price=price)
            case PartKind.MAXIMUM:
                return words.at_maximum.format(count=count, price=price)
            case PartKind.FREE:
                whole = number_text(self.locale, priced.quantity)
                return words.free.format(count=count, whole=whole)
            case PartKind.FREE_TURNOVER:
                amount, whole = self.price(part.quantity), self.price(Decimal(priced.quantity))
                return words.free.format(count=amount, whole=whole)
            case PartKind.FREE_EVENTS:
                return words.free_events.format(count=count)
            case PartKind.UP_TO_MINIMUM:
                return words.at_least.format(amount=self.price(priced.exact))
            case other:
                assert_never(other)

    def portion(self, portion: Portion) -> str:
        words = self.words
        each = amount = self.money(portion.whole_minor)
        if self.line.priced is not None and _is_minimum(self.line.priced):
            amount = f"{each} ({self.minimum(self.line.priced)})"
        elif self.line.priced is not None:
            parts, exact = self.price_sum(self.line.priced)
            # How the whole comes about stands beside it, unless that says no more.
            if _is_one(self.line.priced) and not exact:
                amount = parts
            else:
                of = f"{parts} = {exact}" if exact and parts != exact else parts
                amount = f"{each} ({of})"
        count = number_text(self.locale, portion.numerator)
        whole = number_text(self.locale, portion.denominator)
        if portion.unit is None:
            fraction = f"{portion.fraction.numerator}/{portion.fraction.denominator}"
            text = words.fraction.format(fraction=fraction, amount=amount)
        elif portion.periods and not portion.numerator:
            text = f"{portion.periods} × {amount}"
        elif portion.periods:
            text = words.long_part.format(
                periods=portion.periods,
                each=each,
                count=count,
                whole=whole,
                unit=self.unit(portion.unit),
                amount=amount,
            )
        else:
            unit = self.unit(portion.unit)
            text = words.part.format(count=count, whole=whole, unit=unit, amount=amount)
        total = self.money(portion.amount_minor)
        exact_minor = portion.exact_minor
        if portion.amount_minor != round_fraction(exact_minor.numerator, exact_minor.denominator):
            total = words.rounded_at_cuts.format(amount=total)
        return f"{text} = {total}"

    def unit(self, unit: ProrationUnit) -> str:
        match unit:
            case ProrationUnit.DAY:
                return self.words.day
            case ProrationUnit.SECOND:
                return self.words.second
            case ProrationUnit.THIRTIETHS:
                return self.words.thirtieth
            case other:
                assert_never(other)

    def deduction(self, reason: DeductionReason, amount_minor: int) -> str:
        match reason:
            case DeductionReason.BILLED_EARLIER:
                return self.words.billed_earlier.format(amount=self.money(amount_minor))
            case DeductionReason.REACHED:
                return self.words.reached.format(amount=self.money(amount_minor))
            case DeductionReason.NOT_PAID:
                return self.words.not_paid
            case other:
                assert_never(other)

    def tax(self) -> str:
        line = self.line
        rates = [each for each in (line.rate, *line.more_rates) if each.percent]
        if not rates:
            return ""
        taxes = " + ".join([self.named(each) for each in rates])
        if line.behavior is TaxBehavior.INCLUSIVE:
            net = self.money(line.net_minor)
            return f", {self.words.tax_inside.format(taxes=taxes, net=net)}"
        return f", {self.words.plus_tax.format(taxes=taxes)}"

    def named(self, rate: TaxRate) -> str:
        percent = percent_text(self.locale, rate.percent)
        return self.words.tax_rate.format(percent=percent, name=rate.name or self.words.tax)

    def money(self, minor: int) -> str:
        return money_format(self.locale, self.line.currency)(minor)

    def price(self, amount: Decimal) -> str:
        return price_format(self.locale, self.line.currency)(amount)


def _told(priced: Priced) -> tuple[PricePart, ...]:
    """Return the parts of which there is something; one of nothing, if there is no other."""
    return tuple([part for part in priced.parts if part.quantity]) or priced.parts[:1]


def _is_minimum(priced: Priced) -> bool:
    """Return whether a price is its minimum, because the quantity would cost less."""
    return priced.parts[-1].kind is PartKind.UP_TO_MINIMUM


def _is_one(priced: Priced) -> bool:
    """Return whether the price is one amount, said once, and not a sum or a product."""
    told = _told(priced)
    return len(told) == 1 and told[0].quantity == 1 and told[0].kind in _AMOUNTS
