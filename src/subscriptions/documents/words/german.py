"""The words of documents in German.

A credit note is a "Rechnungskorrektur"; "Gutschrift" is something else by law.
"""

from __future__ import annotations

from typing import Final

from subscriptions.documents.words.vocabulary import ArithmeticWords, CorrectionWords, Words

GERMAN: Final = Words(
    invoice="Rechnung",
    draft="Entwurf",
    pro_forma="Proforma-Rechnung",
    number="Rechnungsnummer",
    customer_number="Kundennummer",
    issued_on="Rechnungsdatum",
    due_on="Fällig am",
    period="Leistungszeitraum",
    tax_id="USt-IdNr.",
    description="Leistung",
    quantity="Menge",
    unit_price="Einzelpreis",
    amount="Betrag",
    net="Netto",
    tax="USt.",
    on_base="auf {base}",
    total="Gesamtbetrag",
    paid="Bezahlt",
    due="Offener Betrag",
    tax_inside="Die Preise enthalten die Umsatzsteuer.",
    with_tax="inkl. USt.",
    replaces="Ersetzt die Rechnung {number} vom {day}.",
    pay_by_transfer="Bitte überweisen Sie {amount} bis zum {day}:",
    account_holder="Kontoinhaber",
    reference="Verwendungszweck",
    charged="{amount} werden von Ihrem Zahlungsmittel abgebucht.",
    settled="Diese Rechnung ist bezahlt. Vielen Dank.",
    void="Diese Rechnung ist storniert; es ist nichts zu zahlen.",
    given_up="{amount} dieser Rechnung sind überfällig.",
    reverse_charge="Steuerschuldnerschaft des Leistungsempfängers",
    credit="{name} – nicht genutzter Zeitraum",
    debit="{name} – restlicher Zeitraum",
    usage="{name} – Verbrauch",
    late_usage="{name} – nachgemeldeter Verbrauch",
    true_up="{name} – Differenz zum Mindestbetrag",
    setup="{name} – Einrichtungsgebühr",
    discount="Rabatt: {name}",
    part_of_period="{count} von {whole} Tagen von {amount}",
    billed_earlier="bereits berechnet: {amount}",
    balance="Mit Ihrem Guthaben verrechnet",
    granted="Mit gewährtem Guthaben verrechnet",
    to_balance="Ihrem Guthaben hinzugefügt",
    credited="Korrigiert",
)

GERMAN_CORRECTION: Final = CorrectionWords(
    title="Rechnungskorrektur",
    number="Korrekturnummer",
    issued_on="Datum",
    corrects="Berichtigt die Rechnung {number} vom {day}.",
    reason="Grund: {reason}",
    total="Korrekturbetrag",
    taken_off="Mit dem offenen Betrag verrechnet",
    refund="Auf Ihr Zahlungsmittel erstattet",
    balance="Ihrem Guthaben hinzugefügt",
    outside="Auf anderem Weg zurückgezahlt",
    granted="Zurück zum gewährten Guthaben",
)

GERMAN_ARITHMETIC: Final = ArithmeticWords(
    part="anteilig {count} von {whole} {unit} von {amount}",
    long_part="{periods} × {each} und anteilig {count} von {whole} {unit} von {amount}",
    fraction="anteilig {fraction} von {amount}",
    day="Tagen",
    second="Sekunden",
    thirtieth="Tagen (30 je Monat)",
    packages="Pakete: {count} × {price}",
    turnover="{rate} von {amount}",
    events="Vorgänge: {count} × {price}",
    at_minimum="Vorgänge zum Mindestpreis: {count} × {price}",
    at_maximum="Vorgänge zum Höchstpreis: {count} × {price}",
    free="{count} frei",
    rounded="{exact}, gerundet {amount}",
    rounded_at_cuts="{amount} (so gerundet, dass alle Teile des Zeitraums aufgehen)",
    billed_earlier="abzüglich bereits berechneter {amount}",
    reached="abzüglich bereits erreichter {amount}",
    not_paid="begrenzt auf das, was bezahlt wurde",
    discount="abzüglich {amount} ({name})",
    plus_tax="zuzüglich {taxes}",
    tax_inside="einschließlich {taxes}: netto {net}",
    credited="Position {line} der Rechnung {number}",
    counted="{count}; Anzahl der Ereignisse: {events}",
)
