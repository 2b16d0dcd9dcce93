"""The words of documents in Polish."""

from __future__ import annotations

from typing import Final

from subscriptions.documents.words.vocabulary import Words

POLISH: Final = Words(
    invoice="Faktura",
    draft="Szkic",
    pro_forma="Faktura pro forma",
    number="Numer faktury",
    customer_number="Numer klienta",
    issued_on="Data wystawienia",
    due_on="Termin płatności",
    period="Okres świadczenia",
    tax_id="NIP",
    description="Nazwa usługi",
    quantity="Ilość",
    unit_price="Cena jednostkowa",
    amount="Kwota",
    net="Netto",
    tax="VAT",
    on_base="od {base}",
    total="Razem",
    paid="Zapłacono",
    due="Do zapłaty",
    tax_inside="Ceny zawierają VAT.",
    with_tax="z VAT",
    replaces="Zastępuje fakturę {number} z dnia {day}.",
    pay_by_transfer="Prosimy o przelew {amount} do {day}:",
    account_holder="Odbiorca",
    reference="Tytuł przelewu",
    charged="Kwota {amount} zostanie pobrana wybraną metodą płatności.",
    settled="Ta faktura jest opłacona. Dziękujemy.",
    void="Ta faktura jest anulowana; nie trzeba nic płacić.",
    given_up="Kwota {amount} z tej faktury jest przeterminowana.",
    reverse_charge="Odwrotne obciążenie",
    credit="{name} – niewykorzystany okres",
    debit="{name} – pozostały okres",
    usage="{name} – zużycie",
    late_usage="{name} – zużycie zgłoszone z opóźnieniem",
    true_up="{name} – dopłata do minimum",
    setup="{name} – opłata aktywacyjna",
    discount="Rabat: {name}",
    part_of_period="{count} z {whole} dni z {amount}",
    billed_earlier="już zafakturowano: {amount}",
    balance="Opłacono z salda",
    granted="Opłacono z przyznanych środków",
    to_balance="Dodano do salda",
    credited="Skorygowano",
)
