"""For test suites: the kits of laws for authors of adapters.

`Timeline` walks a host's own billing through time and checks what happens. `builders` makes a valid
record of each kind, `examples` one in every state.
"""

from subscriptions.testing.gateway_laws import GatewayLaws
from subscriptions.testing.storage_laws import StorageLaws
from subscriptions.testing.timeline import TestClock, Timeline, counting_ids

__all__ = ["GatewayLaws", "StorageLaws", "TestClock", "Timeline", "counting_ids"]
