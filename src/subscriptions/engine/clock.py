"""Time and randomness: the one place that reads the clock and makes fresh ids."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def system_clock() -> datetime:
    """Return the instant it is, in UTC."""
    return datetime.now(UTC)


class RandomIds:
    """Fresh ids that sort by time: 48 bits of milliseconds, then 80 random bits, in base 32."""

    def fresh(self, prefix: str) -> str:
        """Return an id that was never returned before, starting with `prefix` and `_`."""
        milliseconds = int(datetime.now(UTC).timestamp() * 1000)
        bits = (milliseconds << 80) | secrets.randbits(80)
        return f"{prefix}_{_base32(bits)}"

    def secret(self) -> str:
        """Return 160 unguessable bits as 32 ASCII characters."""
        return secrets.token_hex(20)


def _base32(bits: int) -> str:
    digits: list[str] = []
    for _ in range(26):
        bits, digit = divmod(bits, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
