"""The words of documents in Dutch."""

from __future__ import annotations

from typing import Final

from subscriptions.documents.words.vocabulary import Words

DUTCH: Final = Words(
    invoice="Factuur",
    draft="Concept",
    pro_forma="Pro-formafactuur",
    number="Factuurnummer",
    customer_number="Klantnummer",
    issued_on="Factuurdatum",
    due_on="Vervaldatum",
    period="Leveringsperiode",
    tax_id="Btw-nummer",
    description="Omschrijving",
    quantity="Aantal",
    unit_price="Prijs per stuk",
    amount="Bedrag",
    net="Netto",
    tax="Btw",
    on_base="over {base}",
    total="Totaal",
    paid="Betaald",
    due="Te betalen",
    tax_inside="De prijzen zijn inclusief btw.",
    with_tax="incl. btw",
    replaces="Vervangt factuur {number} van {day}.",
    pay_by_transfer="Gelieve {amount} uiterlijk op {day} over te maken:",
    account_holder="Ten name van",
    reference="Kenmerk",
    charged="{amount} wordt van uw betaalmiddel afgeschreven.",
    settled="Deze factuur is betaald. Dank u wel.",
    void="Deze factuur is vervallen; u hoeft niets te betalen.",
    given_up="{amount} van deze factuur is achterstallig.",
    reverse_charge="Btw verlegd",
    credit="{name} – niet-gebruikte periode",
    debit="{name} – resterende periode",
    usage="{name} – verbruik",
    late_usage="{name} – later gemeld verbruik",
    true_up="{name} – aanvulling tot het minimum",
    setup="{name} – eenmalige instelkosten",
    discount="Korting: {name}",
    part_of_period="{count} van {whole} dagen van {amount}",
    billed_earlier="al gefactureerd: {amount}",
    balance="Betaald uit uw tegoed",
    granted="Betaald uit toegekend tegoed",
    to_balance="Toegevoegd aan uw tegoed",
    credited="Gecrediteerd",
)
