"""For test suites: the kits of laws for authors of adapters.

`builders` makes a valid record of each kind, `examples` one in every state.
"""

from subscriptions.testing.gateway_laws import GatewayLaws
from subscriptions.testing.storage_laws import StorageLaws

__all__ = ["GatewayLaws", "StorageLaws"]
