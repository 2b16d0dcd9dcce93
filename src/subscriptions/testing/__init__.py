"""For test suites: a timeline for hosts, and the kits of laws for authors of adapters.

`Timeline` walks a host's own billing through time and checks what happens. `builders` makes a valid
record of each kind, `examples` one in every state. The kits need pytest and load it when they are
first used; the rest does without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from subscriptions.testing.timeline import TestClock, Timeline, counting_ids

if TYPE_CHECKING:
    from subscriptions.testing.gateway_laws import GatewayLaws
    from subscriptions.testing.storage_laws import StorageLaws
    from subscriptions.testing.tax_id_laws import TaxIdLaws

__all__ = ["GatewayLaws", "StorageLaws", "TaxIdLaws", "TestClock", "Timeline", "counting_ids"]

_KITS = {
    "GatewayLaws": "subscriptions.testing.gateway_laws",
    "StorageLaws": "subscriptions.testing.storage_laws",
    "TaxIdLaws": "subscriptions.testing.tax_id_laws",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - one of the kits
    if name not in _KITS:
        raise AttributeError(f"module 'subscriptions.testing' has no attribute {name!r}")
    return getattr(import_module(_KITS[name]), name)
