"""The words of documents in Italian."""

from __future__ import annotations

from typing import Final

from subscriptions.documents.words.vocabulary import Words

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
    with_tax="IVA inclusa",
    replaces="Sostituisce la fattura {number} del {day}.",
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
