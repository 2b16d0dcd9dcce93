"""Currencies: which codes there are, and how many decimals each one's minor unit has.

Decided here: what a minor unit is. Never here: how many decimals people like to read, which is
CLDR's matter and differs from ISO 4217 for a dozen currencies.
"""

from __future__ import annotations

from typing import Final, final

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen

# ISO 4217 list one ("active codes") as of 1 January 2026, by number of decimals. Left out are the
# codes whose minor unit is "N.A.": metals, SDR, test codes. A code never leaves this table, because
# the books still hold it: ANG, BGN, CUC, HRK, SLL and ZWL have been withdrawn since 2021.
_CODES_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP "
        "BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR "
        "FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR "
        "KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR "
        "MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK "
        "SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN "
        "UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG ZWL"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS: Final = {
    code: exponent for exponent, codes in _CODES_BY_EXPONENT.items() for code in codes.split()
}


@final
@frozen(init=False, eq=False, repr=False)
class Currency:
    """A currency of ISO 4217; there is one object per code, so `is` and `==` agree.

    Raises `ValidationError` for a code that is not in the table, and for a wrong case.

    >>> Currency("EUR") is Currency.of("EUR")
    True
    >>> Currency.of("JPY").exponent
    0
    """

    code: str
    exponent: int
    """How many decimals the minor unit has: 2 for EUR, 0 for JPY, 3 for KWD."""

    def __new__(cls, code: str) -> Currency:
        """Return the one object of a code."""
        known = _INTERNED.get(code)
        return known if known is not None else _intern(cls, code)

    @classmethod
    def of(cls, currency: Currency | str) -> Currency:
        """Return the currency of a code; a currency returns itself."""
        return currency if isinstance(currency, Currency) else Currency(currency)

    def __reduce__(self) -> tuple[type[Currency], tuple[str]]:
        # Pickles and copies come back as the one object of this process.
        return Currency, (self.code,)

    def __str__(self) -> str:
        return self.code

    def __repr__(self) -> str:
        return f'Currency("{self.code}")'


def _intern(cls: type[Currency], code: str) -> Currency:
    # Made when first asked for: a host meets three of the 180, and pays for three at import.
    exponent = _EXPONENTS.get(code)
    if exponent is None:
        raise ValidationError("currency", code, 'an active ISO 4217 code such as "EUR"')
    currency = object.__new__(cls)
    object.__setattr__(currency, "code", code)
    object.__setattr__(currency, "exponent", exponent)
    # Two threads may get here at once; the first to store wins for both.
    return _INTERNED.setdefault(code, currency)


_INTERNED: Final[dict[str, Currency]] = {}

CHF: Final = Currency("CHF")
EUR: Final = Currency("EUR")
GBP: Final = Currency("GBP")
JPY: Final = Currency("JPY")
USD: Final = Currency("USD")
