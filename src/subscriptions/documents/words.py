"""The words of documents, language by language. How dates and amounts are written is `formats`'s.

A language that is not here gets English words, with its own dates and amounts. In German texts a
credit note is a "Rechnungskorrektur"; "Gutschrift" is something else by law.
"""

from __future__ import annotations

from typing import Final, assert_never

from attrs import frozen

from subscriptions.invoices import LineKind
from subscriptions.taxes import TaxCategory


@frozen(kw_only=True)
class Words:
    """Every text of an invoice in one language."""

    invoice: str
    draft: str
    pro_forma: str
    number: str
    customer_number: str
    issued_on: str
    due_on: str
    period: str
    tax_id: str
    description: str
    quantity: str
    unit_price: str
    amount: str
    net: str
    tax: str
    on_base: str
    total: str
    paid: str
    due: str
    tax_inside: str
    pay_by_transfer: str
    account_holder: str
    reference: str
    charged: str
    settled: str
    void: str
    given_up: str
    reverse_charge: str
    credit: str
    debit: str
    usage: str
    late_usage: str
    true_up: str
    setup: str
    discount: str
    part_of_period: str
    billed_earlier: str
    balance: str
    granted: str
    to_balance: str
    credited: str

    def reason(self, category: TaxCategory, reason: str | None) -> str:
        """Return why no tax is due, in this language where it is the law's own phrase."""
        if category is TaxCategory.REVERSE_CHARGE:
            return self.reverse_charge
        return reason or ""

    def line(self, kind: LineKind, name: str) -> str:
        """Return what a line is called: its description, and what of it the line is for."""
        match kind:
            case LineKind.PERIOD | LineKind.ONE_OFF:
                return name
            case LineKind.CREDIT:
                return self.credit.format(name=name)
            case LineKind.DEBIT:
                return self.debit.format(name=name)
            case LineKind.USAGE:
                return self.usage.format(name=name)
            case LineKind.LATE_USAGE:
                return self.late_usage.format(name=name)
            case LineKind.TRUE_UP:
                return self.true_up.format(name=name)
            case LineKind.SETUP:
                return self.setup.format(name=name)
            case other:
                assert_never(other)


ENGLISH: Final = Words(
    invoice="Invoice",
    draft="Draft",
    pro_forma="Pro forma invoice",
    number="Invoice number",
    customer_number="Customer number",
    issued_on="Date of issue",
    due_on="Due date",
    period="Service period",
    tax_id="VAT ID",
    description="Description",
    quantity="Quantity",
    unit_price="Unit price",
    amount="Amount",
    net="Net",
    tax="VAT",
    on_base="on {base}",
    total="Total",
    paid="Paid",
    due="Amount due",
    tax_inside="Prices include VAT.",
    pay_by_transfer="Please transfer {amount} by {day}:",
    account_holder="Account holder",
    reference="Reference",
    charged="{amount} will be charged to your payment method.",
    settled="This invoice is paid. Thank you.",
    void="This invoice is void; nothing is to be paid.",
    given_up="{amount} of this invoice is overdue.",
    reverse_charge="Reverse charge: the recipient owes the VAT.",
    credit="{name} – unused time",
    debit="{name} – remaining time",
    usage="{name} – usage",
    late_usage="{name} – usage reported late",
    true_up="{name} – up to the minimum",
    setup="{name} – setup fee",
    discount="Discount: {name}",
    part_of_period="{count} of {whole} days of {amount}",
    billed_earlier="{amount} billed earlier",
    balance="Paid from your balance",
    granted="Paid from your credit grants",
    to_balance="Added to your balance",
    credited="Credited",
)

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

FRENCH: Final = Words(
    invoice="Facture",
    draft="Brouillon",
    pro_forma="Facture pro forma",
    number="Numéro de facture",
    customer_number="Numéro de client",
    issued_on="Date d’émission",
    due_on="Échéance",
    period="Période de service",
    tax_id="N° de TVA",
    description="Désignation",
    quantity="Quantité",
    unit_price="Prix unitaire",
    amount="Montant",
    net="Total HT",
    tax="TVA",
    on_base="sur {base}",
    total="Total TTC",
    paid="Payé",
    due="Reste à payer",
    tax_inside="Les prix s’entendent TVA comprise.",
    pay_by_transfer="Merci de virer {amount} avant le {day} :",
    account_holder="Titulaire",
    reference="Référence",
    charged="{amount} seront prélevés sur votre moyen de paiement.",
    settled="Cette facture est payée. Merci.",
    void="Cette facture est annulée ; il n’y a rien à payer.",
    given_up="{amount} de cette facture sont en retard de paiement.",
    reverse_charge="Autoliquidation",
    credit="{name} – période non utilisée",
    debit="{name} – période restante",
    usage="{name} – consommation",
    late_usage="{name} – consommation déclarée tardivement",
    true_up="{name} – complément au minimum",
    setup="{name} – frais de mise en service",
    discount="Remise : {name}",
    part_of_period="{count} jours sur {whole} de {amount}",
    billed_earlier="déjà facturé : {amount}",
    balance="Réglé par votre solde",
    granted="Réglé par vos crédits accordés",
    to_balance="Ajouté à votre solde",
    credited="Avoir",
)

SPANISH: Final = Words(
    invoice="Factura",
    draft="Borrador",
    pro_forma="Factura proforma",
    number="Número de factura",
    customer_number="Número de cliente",
    issued_on="Fecha de emisión",
    due_on="Vencimiento",
    period="Período de servicio",
    tax_id="NIF-IVA",
    description="Concepto",
    quantity="Cantidad",
    unit_price="Precio unitario",
    amount="Importe",
    net="Base imponible",
    tax="IVA",
    on_base="sobre {base}",
    total="Total",
    paid="Pagado",
    due="Importe pendiente",
    tax_inside="Los precios incluyen el IVA.",
    pay_by_transfer="Por favor, transfiera {amount} antes del {day}:",
    account_holder="Titular",
    reference="Concepto",
    charged="Se cargarán {amount} en su medio de pago.",
    settled="Esta factura está pagada. Gracias.",
    void="Esta factura está anulada; no hay nada que pagar.",
    given_up="{amount} de esta factura están vencidos.",
    reverse_charge="Inversión del sujeto pasivo",
    credit="{name} – período no utilizado",
    debit="{name} – período restante",
    usage="{name} – consumo",
    late_usage="{name} – consumo comunicado con retraso",
    true_up="{name} – complemento hasta el mínimo",
    setup="{name} – cuota de alta",
    discount="Descuento: {name}",
    part_of_period="{count} de {whole} días de {amount}",
    billed_earlier="ya facturado: {amount}",
    balance="Pagado con su saldo",
    granted="Pagado con sus créditos concedidos",
    to_balance="Añadido a su saldo",
    credited="Rectificado",
)

ITALIAN: Final = Words(
    invoice="Fattura",
    draft="Bozza",
    pro_forma="Fattura proforma",
    number="Numero fattura",
    customer_number="Codice cliente",
    issued_on="Data di emissione",
    due_on="Scadenza",
    period="Periodo del servizio",
    tax_id="Partita IVA",
    description="Descrizione",
    quantity="Quantità",
    unit_price="Prezzo unitario",
    amount="Importo",
    net="Imponibile",
    tax="IVA",
    on_base="su {base}",
    total="Totale",
    paid="Pagato",
    due="Importo dovuto",
    tax_inside="I prezzi comprendono l’IVA.",
    pay_by_transfer="Si prega di versare {amount} entro il {day}:",
    account_holder="Intestatario",
    reference="Causale",
    charged="{amount} saranno addebitati sul Suo metodo di pagamento.",
    settled="Questa fattura è pagata. Grazie.",
    void="Questa fattura è annullata; nulla è dovuto.",
    given_up="{amount} di questa fattura sono scaduti.",
    reverse_charge="Inversione contabile",
    credit="{name} – periodo non utilizzato",
    debit="{name} – periodo rimanente",
    usage="{name} – consumo",
    late_usage="{name} – consumo comunicato in ritardo",
    true_up="{name} – integrazione fino al minimo",
    setup="{name} – costo di attivazione",
    discount="Sconto: {name}",
    part_of_period="{count} giorni su {whole} di {amount}",
    billed_earlier="già fatturato: {amount}",
    balance="Pagato con il Suo saldo",
    granted="Pagato con i crediti a Lei concessi",
    to_balance="Aggiunto al Suo saldo",
    credited="Nota di credito",
)

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

WORDS: Final = {
    "de": GERMAN,
    "en": ENGLISH,
    "es": SPANISH,
    "fr": FRENCH,
    "it": ITALIAN,
    "nl": DUTCH,
    "pl": POLISH,
}


def words_of(language: str) -> Words:
    """Return the words of a BCP 47 tag; English for a language that is not here.

    >>> words_of("de-AT").invoice, words_of("ja").invoice
    ('Rechnung', 'Invoice')
    """
    return WORDS.get(language.partition("-")[0], ENGLISH)


@frozen(kw_only=True)
class CorrectionWords:
    """The texts of a credit note in one language, besides those of an invoice."""

    title: str
    number: str
    issued_on: str
    corrects: str
    reason: str
    total: str
    taken_off: str
    refund: str
    balance: str
    outside: str
    granted: str


ENGLISH_CORRECTION: Final = CorrectionWords(
    title="Credit note",
    number="Credit note number",
    issued_on="Date of issue",
    corrects="Corrects invoice {number} of {day}.",
    reason="Reason: {reason}",
    total="Total credited",
    taken_off="Taken off the amount due",
    refund="Refunded to your payment method",
    balance="Added to your balance",
    outside="Paid back by other means",
    granted="Returned to your credit grants",
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

CORRECTION: Final = {"de": GERMAN_CORRECTION, "en": ENGLISH_CORRECTION}


def speaks_correction(language: str) -> str:
    """Return the language in which a credit note is written: this one, or English.

    >>> speaks_correction("de-AT"), speaks_correction("fr")
    ('de-AT', 'en')
    """
    return language if language.partition("-")[0] in CORRECTION else "en"


@frozen(kw_only=True)
class ArithmeticWords:
    """The texts that a line's arithmetic is told with, in one language."""

    part: str
    long_part: str
    fraction: str
    day: str
    second: str
    thirtieth: str
    packages: str
    turnover: str
    events: str
    at_minimum: str
    at_maximum: str
    free: str
    rounded: str
    rounded_at_cuts: str
    billed_earlier: str
    reached: str
    not_paid: str
    discount: str
    plus_tax: str
    tax_inside: str
    credited: str
    counted: str


ENGLISH_ARITHMETIC: Final = ArithmeticWords(
    part="{count} of {whole} {unit} of {amount}",
    long_part="{periods} × {each} and {count} of {whole} {unit} of {amount}",
    fraction="{fraction} of {amount}",
    day="days",
    second="seconds",
    thirtieth="days (30 to a month)",
    packages="packages: {count} × {price}",
    turnover="{rate} of {amount}",
    events="events: {count} × {price}",
    at_minimum="events at the minimum: {count} × {price}",
    at_maximum="events at the maximum: {count} × {price}",
    free="{count} free",
    rounded="{exact}, rounded to {amount}",
    rounded_at_cuts="{amount} (rounded so that all parts of the period add up)",
    billed_earlier="less {amount} billed earlier",
    reached="less {amount} already reached",
    not_paid="limited to what was paid",
    discount="less {amount} ({name})",
    plus_tax="plus {taxes}",
    tax_inside="including {taxes}: {net} net",
    credited="line {line} of invoice {number}",
    counted="{count} in events: {events}",
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

ARITHMETIC: Final = {"de": GERMAN_ARITHMETIC, "en": ENGLISH_ARITHMETIC}


def speaks_arithmetic(language: str) -> str:
    """Return the language in which the arithmetic of a line is told: this one, or English.

    >>> speaks_arithmetic("de-AT"), speaks_arithmetic("fr")
    ('de-AT', 'en')
    """
    return language if language.partition("-")[0] in ARITHMETIC else "en"
