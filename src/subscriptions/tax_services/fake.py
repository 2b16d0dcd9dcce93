"""A scripted validator and tax engine: they answer as a test tells, and remember what was asked."""

from __future__ import annotations

from attrs import define, field

from subscriptions.tax_ids import EU_PREFIXES, Invalid, TaxIdAnswer, Unavailable, Valid, normalized
from subscriptions.tax_quotes import TaxAnswer, TaxQuote, TaxRequest, TaxUnavailable
from subscriptions.taxes import TaxRate


@define
class FakeTaxIds:
    """A `TaxIdValidator` for tests: it confirms every tax id until it is told otherwise.

    `asked` holds the tax ids it was asked about, in order, also while it was down.

    >>> validator = FakeTaxIds()
    >>> validator.invalid("DE136695976")
    >>> validator.check("DE136695976", "")
    Invalid(request_id='fake-1')
    >>> validator.outage("MS_UNAVAILABLE")
    >>> validator.check("FR40303265045", "")
    Unavailable(reason='MS_UNAVAILABLE')
    """

    name: str = "fake"
    prefixes: frozenset[str] = EU_PREFIXES
    asked: list[str] = field(factory=list[str])
    requesters: list[str] = field(factory=list[str])
    _unknown: set[str] = field(factory=set[str], init=False)
    _names: dict[str, tuple[str, str]] = field(factory=dict[str, tuple[str, str]], init=False)
    _down: dict[str, str] = field(factory=dict[str, str], init=False)

    def valid(self, tax_id: str, *, name: str = "", address: str = "") -> None:
        """Confirm a tax id from now on, with a name and an address."""
        tax_id = normalized(tax_id)
        self._unknown.discard(tax_id)
        self._names[tax_id] = (name, address)

    def invalid(self, tax_id: str) -> None:
        """Know nothing of a tax id from now on."""
        self._unknown.add(normalized(tax_id))

    def outage(self, reason: str = "SERVICE_UNAVAILABLE", *, prefix: str = "") -> None:
        """Answer nothing from now on, or nothing about tax ids that begin with `prefix`."""
        self._down[prefix] = reason

    def recover(self) -> None:
        """Answer again."""
        self._down.clear()

    def check(self, tax_id: str, requester: str, /) -> TaxIdAnswer:
        """Answer as told; the receipt counts the questions."""
        self.asked.append(tax_id)
        self.requesters.append(requester)
        reason = self._down.get("") or self._down.get(tax_id[:2])
        if reason is not None:
            return Unavailable(reason)
        receipt = f"fake-{len(self.asked)}"
        if tax_id in self._unknown:
            return Invalid(receipt)
        return Valid(receipt, *self._names.get(tax_id, ("", "")))


@define
class FakeTaxProvider:
    """A `TaxProvider` for tests: each line bears `rates`, or those told for its tax category.

    >>> provider = FakeTaxProvider(rates=(TaxRate("8.875"),))
    >>> provider.outage()
    """

    rates: tuple[TaxRate, ...] = (TaxRate("10"),)
    name: str = "fake"
    asked: list[TaxRequest] = field(factory=list[TaxRequest])
    _by_category: dict[str, tuple[TaxRate, ...]] = field(
        factory=dict[str, tuple[TaxRate, ...]], init=False
    )
    _down: str | None = field(default=None, init=False)

    def category(self, name: str, *rates: TaxRate) -> None:
        """Let what is sold under a tax category bear these rates from now on."""
        self._by_category[name] = rates

    def outage(self, reason: str = "UNAVAILABLE") -> None:
        """Answer nothing from now on."""
        self._down = reason

    def recover(self) -> None:
        """Answer again."""
        self._down = None

    def quote(self, request: TaxRequest, /) -> TaxAnswer:
        """Answer as told; the reference counts the questions."""
        self.asked.append(request)
        if self._down is not None:
            return TaxUnavailable(self._down)
        lines = [self._by_category.get(line.tax_category, self.rates) for line in request.lines]
        return TaxQuote(tuple(lines), f"quote-{len(self.asked)}")
