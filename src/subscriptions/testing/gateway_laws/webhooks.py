"""Laws of messages: verified on their raw bytes, then read; hostile ones are refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from subscriptions.gateways import PaymentGateway, WebhookRefused
from subscriptions.testing.gateway_laws.circumstances import COLLECTS, Circumstances, Intents, read

BODY_BYTES_MAX = 1024 * 1024
TOLERANCE = timedelta(seconds=300)
HOSTILE_TEXTS = (
    "",
    " ",
    ",",
    "v1",
    "v1,",
    "v1,=",
    "v1,€",
    "v1,\x00",
    "v1," + "A" * 100_000,
    " ".join(["v1,AAAA"] * 10_000),
    "v2,AAAA",
    "t=1,v1=0",
    "-1",
    "NaN",
    "1e9",
    "٣",
    "9" * 5000,
    "a.b",
    "\ud800",
    "\r\nwebhook-id: other",
)


class WebhookLaws(Circumstances, kit=True, needs=COLLECTS):
    """A genuine message is read, everything else is refused and never a crash."""

    # ---- webhooks ---------------------------------------------------------------------------

    def test_a_genuine_webhook_is_read(self, gateway: PaymentGateway, intend: Intents) -> None:
        """It names the attempt and its amount; read twice, it has the same id."""
        message = self.sent(gateway, intend)
        event = read(gateway, message)
        assert event == read(gateway, message)
        assert event.id
        assert event.snapshot is not None
        assert event.snapshot.attempt_id == intend().attempt_id
        assert event.snapshot.amount == intend().amount

    def test_a_webhook_is_read_whatever_the_case_of_its_headers(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Servers and proxies write their names as they like."""
        message = self.sent(gateway, intend)
        for change in (str.lower, str.upper, str.title):
            headers = {change(name): value for name, value in message.headers.items()}
            assert read(gateway, evolve(message, headers=headers)) == read(gateway, message)

    def test_a_tampered_webhook_is_refused(self, gateway: PaymentGateway, intend: Intents) -> None:
        """Not one byte may differ: changed, missing, added, or only a space more."""
        message = self.sent(gateway, intend)
        raw = message.raw
        for place in range(0, len(raw), 7):
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            self.refused(gateway, evolve(message, raw=changed))
        for other in (b"", b"{}", raw[:-1], raw + b" ", b" " + raw, raw + raw, b"\xff" * 9):
            self.refused(gateway, evolve(message, raw=other))

    def test_an_endless_webhook_is_refused(self, gateway: PaymentGateway, intend: Intents) -> None:
        """More than a mebibyte is not read."""
        message = self.sent(gateway, intend)
        endless = message.raw + b" " * BODY_BYTES_MAX
        self.refused(gateway, evolve(message, raw=endless))

    @pytest.mark.parametrize("way", [-1, 1], ids=["old", "future"])
    def test_a_webhook_of_another_time_is_refused(
        self, gateway: PaymentGateway, intend: Intents, way: int
    ) -> None:
        """More than 300 s from now is a replay, or forged; a clock may differ by less."""
        message = self.sent(gateway, intend)
        near = message.sent_at - way * (TOLERANCE - timedelta(seconds=2))
        far = message.sent_at - way * (TOLERANCE + timedelta(seconds=2))
        assert read(gateway, message, now=near) == read(gateway, message)
        self.refused(gateway, message, now=far)

    def test_a_webhook_is_verified_with_every_secret(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """While a secret is replaced, both are good, in either order."""
        message = self.sent(gateway, intend)
        genuine = read(gateway, message)
        for secrets in ((message.secret, self.other_secret), (self.other_secret, message.secret)):
            event = gateway.parse_webhook(
                message.raw, message.headers, secrets=secrets, now=message.sent_at
            )
            assert event == genuine

    def test_a_webhook_of_another_secret_is_refused(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """So is one for which there is no secret at all."""
        message = self.sent(gateway, intend)
        for secrets in ((), (self.other_secret,), (self.other_secret, self.other_secret)):
            with pytest.raises(WebhookRefused):
                gateway.parse_webhook(
                    message.raw, message.headers, secrets=secrets, now=message.sent_at
                )

    def test_hostile_headers_are_refused_and_never_a_crash(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Each header is replaced by nonsense in turn; what comes out is the event or a refusal."""
        message = self.sent(gateway, intend)
        genuine = read(gateway, message)
        self.refused(gateway, evolve(message, headers={}))
        for name in message.headers:
            rest = {other: message.headers[other] for other in message.headers if other != name}
            for headers in (rest, *({**rest, name: text} for text in HOSTILE_TEXTS)):
                try:
                    event = read(gateway, evolve(message, headers=headers))
                except WebhookRefused:
                    continue
                # A header that proves nothing may say anything.
                assert event == genuine
        everything = dict.fromkeys(message.headers, "\ud800")
        self.refused(gateway, evolve(message, headers=everything))

    def test_a_webhook_in_another_encoding_is_refused(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """What was signed are bytes, not the text that somebody made of them."""
        message = self.sent(gateway, intend)
        text = message.raw.decode()
        for raw in (text.encode("utf-16"), text.encode("utf-8-sig"), text.encode("utf-32")):
            self.refused(gateway, evolve(message, raw=raw))

    def test_a_webhook_says_what_asking_says(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is a hint, and a true one: what it tells is what the gateway has."""
        snapshot = read(gateway, self.sent(gateway, intend)).snapshot
        assert snapshot is not None
        found = self.found(gateway, intend(), snapshot.gateway_ref)
        assert (snapshot.outcome, snapshot.gateway_ref) == (found.outcome, found.gateway_ref)
