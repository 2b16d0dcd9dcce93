"""The words of documents in Spanish."""

from __future__ import annotations

from typing import Final

from subscriptions.documents.words.vocabulary import Words

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
    with_tax="IVA incluido",
    replaces="Sustituye a la factura {number} del {day}.",
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
