"""The laws of the gateway port, to be inherited by whoever writes an adapter.

The laws stand by topic in the modules beside this one, each a sentence in its name.
"""

from __future__ import annotations

from subscriptions.testing.gateway_laws.amounts import AmountLaws
from subscriptions.testing.gateway_laws.asking import AskingLaws
from subscriptions.testing.gateway_laws.authorizing import AuthorizationLaws
from subscriptions.testing.gateway_laws.charging import ChargingLaws
from subscriptions.testing.gateway_laws.circumstances import Intents, SignedMessage
from subscriptions.testing.gateway_laws.disputes import DisputeLaws
from subscriptions.testing.gateway_laws.every import EveryGatewayLaws, SentMoneyLaws
from subscriptions.testing.gateway_laws.methods import MethodLaws
from subscriptions.testing.gateway_laws.refunds import RefundLaws
from subscriptions.testing.gateway_laws.time import TimeLaws
from subscriptions.testing.gateway_laws.waiting import WaitingLaws
from subscriptions.testing.gateway_laws.webhooks import WebhookLaws


class GatewayLaws(
    EveryGatewayLaws,
    MethodLaws,
    SentMoneyLaws,
    ChargingLaws,
    AmountLaws,
    TimeLaws,
    WaitingLaws,
    AskingLaws,
    WebhookLaws,
    RefundLaws,
    AuthorizationLaws,
    DisputeLaws,
    kit=True,
):
    """Tells the author of an adapter when it is done; a subclass supplies the fixture `gateway`.

    ```
    class TestMyGateway(GatewayLaws):
        applied = 101
        token = "tok_good"

        @pytest.fixture
        def gateway(self) -> PaymentGateway:
            return MyGateway(...)  # fresh: nothing was charged yet
    ```

    What an author can arrange (a decline, a time-out, a webhook) is told by overriding the methods
    of `Circumstances`; a law whose method is missing fails, and is to be waived with a reason.
    Laws that are not for the gateway are skipped with a reason: what its `capabilities` say that it
    does not do, and the small protocols that it does not implement. `applied` says how many are
    left. Run it against a test account: it charges, it gives back, and it deletes nothing.
    """


__all__ = ["GatewayLaws", "Intents", "SignedMessage"]
