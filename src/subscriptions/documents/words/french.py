"""The words of documents in French."""

from __future__ import annotations

from typing import Final

from subscriptions.documents.words.vocabulary import Words

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
    with_tax="TVA comprise",
    replaces="Remplace la facture {number} du {day}.",
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
