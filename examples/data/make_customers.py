"""Make `customers.csv`: 500 running customers in the shape in which billing systems export them.

Everybody is invented, every address is one of example.com or example.org, and the same seed gives
the same bytes. The data are those of the first of January 2027: what is paid until some day in that
month or year falls due then, trials end and agreed subscriptions begin in the course of the year.

`python examples/data/make_customers.py` writes the file beside this script and into the package,
where `subscriptions demo` finds it.
"""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

SEED = 20270101
CUSTOMERS = 500
TODAY = date(2027, 1, 1)

HERE = Path(__file__).parent
PACKAGED = HERE.parents[1] / "src" / "subscriptions" / "cli" / "customers.csv"

COLUMNS = (
    "external_id",
    "name",
    "company",
    "email",
    "language",
    "zone",
    "address_line1",
    "postal_code",
    "city",
    "region",
    "country",
    "gateway",
    "payment_token",
    "product",
    "amount",
    "currency",
    "interval",
    "quantity",
    "tax_behavior",
    "start",
    "paid_until",
    "trial_until",
    "anchor",
    "tags",
    "metadata.source",
)


class Place(NamedTuple):
    """A city as an address has it."""

    city: str
    postal_code: str
    region: str
    zone: str


class Country(NamedTuple):
    """How people of a country are called, where they live and in what they pay."""

    code: str
    weight: int
    language: str
    currency: str
    first_names: str
    last_names: str
    streets: tuple[str, ...]
    places: tuple[Place, ...]


COUNTRIES = (
    Country(
        "DE",
        130,
        "de",
        "EUR",
        "Anna Ben Clara David Emma Felix Greta Hannes Ida Jonas Lena Moritz Nele Paul Sophie Tim",
        "Albers Brandt Dietrich Engel Fuchs Graf Hartwig Jansen Keller Lorenz Maurer Neuhaus Vogt",
        ("Lindenstraße {}", "Am Mühlbach {}", "Gartenweg {}", "Schillerstraße {}"),
        (
            Place("Berlin", "10115", "", "Europe/Berlin"),
            Place("Hamburg", "20354", "", "Europe/Berlin"),
            Place("München", "80331", "", "Europe/Berlin"),
            Place("Köln", "50667", "", "Europe/Berlin"),
            Place("Leipzig", "04109", "", "Europe/Berlin"),
        ),
    ),
    Country(
        "AT",
        35,
        "de-AT",
        "EUR",
        "Johanna Lukas Marie Tobias Valentina Florian Katharina Matthias",
        "Gruber Huber Leitner Pichler Reiter Steiner Wallner Winkler",
        ("Hauptplatz {}", "Kirchengasse {}", "Mozartstraße {}"),
        (
            Place("Wien", "1070", "", "Europe/Vienna"),
            Place("Graz", "8010", "", "Europe/Vienna"),
            Place("Linz", "4020", "", "Europe/Vienna"),
        ),
    ),
    Country(
        "FR",
        60,
        "fr",
        "EUR",
        "Camille Hugo Inès Jules Léa Lucas Manon Nathan Chloé Théo",
        "Bernard Caron Dubois Faure Girard Lambert Marchand Moreau Perrin Roussel",
        ("{} rue des Lilas", "{} avenue de la Gare", "{} place du Marché"),
        (
            Place("Paris", "75011", "", "Europe/Paris"),
            Place("Lyon", "69002", "", "Europe/Paris"),
            Place("Nantes", "44000", "", "Europe/Paris"),
        ),
    ),
    Country(
        "ES",
        35,
        "es",
        "EUR",
        "Alba Carlos Daniela Hugo Lucía Marcos Paula Sergio",
        "Castillo Domínguez Iglesias Molina Navarro Ortega Prieto Vidal",
        ("Calle Mayor {}", "Avenida del Puerto {}", "Plaza Nueva {}"),
        (
            Place("Madrid", "28004", "", "Europe/Madrid"),
            Place("Valencia", "46002", "", "Europe/Madrid"),
            Place("Santa Cruz de Tenerife", "38001", "", "Atlantic/Canary"),
        ),
    ),
    Country(
        "IT",
        30,
        "it",
        "EUR",
        "Alessia Davide Elisa Giulio Martina Pietro Sara Tommaso",
        "Barbieri Conti Ferri Galli Marini Rinaldi Serra Villa",
        ("Via Garibaldi {}", "Via dei Mille {}", "Corso Italia {}"),
        (
            Place("Milano", "20121", "MI", "Europe/Rome"),
            Place("Bologna", "40121", "BO", "Europe/Rome"),
            Place("Torino", "10121", "TO", "Europe/Rome"),
        ),
    ),
    Country(
        "NL",
        40,
        "nl",
        "EUR",
        "Anouk Bram Daan Eva Fleur Jasper Lotte Sem",
        "Bakker Dekker Hendriks Kuipers Mulder Postma Smit Vermeer",
        ("Kerkstraat {}", "Molenweg {}", "Stationsplein {}"),
        (
            Place("Amsterdam", "1017 AB", "", "Europe/Amsterdam"),
            Place("Utrecht", "3511 CD", "", "Europe/Amsterdam"),
            Place("Groningen", "9712 EF", "", "Europe/Amsterdam"),
        ),
    ),
    Country(
        "GB",
        70,
        "en-GB",
        "GBP",
        "Alfie Beth Callum Daisy Ewan Freya Imogen Oscar Rhys Tilda",
        "Ashworth Barlow Chadwick Fairfax Hargreaves Lockwood Pemberton Redfern Thornton Whitby",
        ("{} Mill Lane", "{} Station Road", "{} Orchard Close"),
        (
            Place("London", "N1 9GU", "", "Europe/London"),
            Place("Leeds", "LS1 4AP", "", "Europe/London"),
            Place("Glasgow", "G2 1DU", "", "Europe/London"),
        ),
    ),
    Country(
        "US",
        100,
        "en-US",
        "USD",
        "Aiden Brooke Caleb Dana Elijah Harper Jordan Kayla Logan Megan Riley Tyler",
        "Abbott Calloway Delgado Ellison Fulton Hobart Kendrick Larkin Merrill Stanton Whitaker",
        ("{} Maple Street", "{} Lakeview Drive", "{} Second Avenue"),
        (
            Place("New York", "10011", "NY", "America/New_York"),
            Place("Chicago", "60607", "IL", "America/Chicago"),
            Place("Denver", "80202", "CO", "America/Denver"),
            Place("Los Angeles", "90012", "CA", "America/Los_Angeles"),
        ),
    ),
)

# Product, interval, and the price in each currency; weights say how common they are.
PRICES = (
    (46, "Team", "month", {"EUR": "29.00", "USD": "32.00", "GBP": "25.00"}),
    (24, "Studio", "month", {"EUR": "79.00", "USD": "86.00", "GBP": "69.00"}),
    (16, "Team", "year", {"EUR": "290.00", "USD": "320.00", "GBP": "250.00"}),
    (6, "Studio", "year", {"EUR": "790.00", "USD": "860.00", "GBP": "690.00"}),
    (8, "Box", "week", {"EUR": "11.90", "USD": "12.50", "GBP": "9.90"}),
)

# What becomes of charges is decided by the token: see the table of the scripted gateway.
GOOD_CARDS = ("tok_visa", "tok_visa", "tok_visa", "tok_mastercard", "tok_mastercard", "tok_amex")
TROUBLE = (
    *("tok_insufficient_funds_twice",) * 16,
    *("tok_insufficient_funds",) * 4,
    *("tok_card_declined",) * 3,
    *("tok_lost_card",) * 3,
    *("tok_expired_card",) * 5,
    *("tok_timeout_executed",) * 4,
    *("tok_timeout_not_executed",) * 3,
    *("tok_sepa_debit_returned",) * 3,
)
LEGAL_FORMS = {"DE": "GmbH", "AT": "GmbH", "FR": "SARL", "ES": "S.L.", "IT": "S.r.l.", "NL": "B.V."}


def main() -> None:
    """Write the file to both places."""
    text = make()
    for path in (HERE / "customers.csv", PACKAGED):
        path.write_text(text, encoding="utf-8", newline="")


def make() -> str:
    """Return the file as a text."""
    random = Random(SEED)  # choosing examples, not secrets
    troubled = dict(zip(random.sample(range(CUSTOMERS), len(TROUBLE)), TROUBLE, strict=True))
    out = io.StringIO(newline="")
    writer: csv.DictWriter[str] = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    names: set[str] = set()
    for index in range(CUSTOMERS):
        writer.writerow(customer(random, index, troubled.get(index), names))
    return out.getvalue()


def customer(random: Random, index: int, trouble: str | None, names: set[str]) -> dict[str, str]:
    """Return one row; `trouble` is the token of a customer whose payments fail."""
    country = random.choices(COUNTRIES, [each.weight for each in COUNTRIES])[0]
    place = random.choice(country.places)
    first, last = new_name(random, country, names)
    company = ""
    if random.random() < 0.3:  # three in ten
        company = (
            f"{last} {LEGAL_FORMS.get(country.code, 'Ltd' if country.code == 'GB' else 'Inc')}"
        )
    _, product, interval, amounts = random.choices(PRICES, [price[0] for price in PRICES])[0]
    quantity = random.choice((1, 1, 1, 2, 3, 5, 8)) if product != "Box" else 1
    mail = f"{first}.{last}".lower().translate(ASCII)
    gateway, token = way_to_pay(random, country)
    if trouble is not None:
        gateway, token = "card", trouble
    row = {
        "external_id": f"crm-{1001 + index}",
        "name": f"{first} {last}",
        "company": company,
        "email": f"{mail}@{random.choice(('example.com', 'example.org'))}",
        "language": country.language,
        "zone": place.zone,
        "address_line1": random.choice(country.streets).format(random.randint(1, 120)),
        "postal_code": place.postal_code,
        "city": place.city,
        "region": place.region,
        "country": country.code,
        "gateway": gateway,
        "payment_token": token,
        "product": product,
        "amount": amounts[country.currency],
        "currency": country.currency,
        "interval": interval,
        "quantity": str(quantity),
        "tax_behavior": "inclusive" if product == "Box" else "exclusive",
        "tags": " ".join(random.sample(("beta", "founder", "newsletter", "referral"), 2))
        if random.random() < 0.25  # one in four
        else "",
        "metadata.source": random.choice(("web", "web", "fair", "partner")),
    }
    return row | days(random, interval)


def new_name(random: Random, country: Country, names: set[str]) -> tuple[str, str]:
    """Return a first and a last name that nobody has yet."""
    while True:
        first = random.choice(country.first_names.split())
        last = random.choice(country.last_names.split())
        if f"{first} {last}" not in names or len(names) > CUSTOMERS:
            names.add(f"{first} {last}")
            return first, last
        if random.random() < 0.05:  # now and then two people have one name
            return first, last


def way_to_pay(random: Random, country: Country) -> tuple[str, str]:
    """Return a gateway and a token: mostly cards, then debits and transfers in Europe."""
    roll = random.random()
    euro = country.currency == "EUR"
    if euro and roll < 0.16:  # one in six
        return "card", "tok_sepa_debit"
    if roll < (0.38 if euro else 0.08):
        return "transfer", ""
    return "card", random.choice(GOOD_CARDS)


def days(random: Random, interval: str) -> dict[str, str]:
    """Return when a subscription began, until when it is paid, and its anchor."""
    roll = random.random()
    if roll < 0.07:  # agreed, and begins in the course of the year
        start = TODAY + timedelta(days=random.randint(20, 330))
        return {"start": str(start)}
    if roll < 0.17:  # on trial
        until = TODAY + timedelta(days=random.randint(2, 45))
        return {
            "start": str(TODAY - timedelta(days=random.randint(1, 12))),
            "trial_until": str(until),
        }
    if interval == "week":
        paid_until = TODAY + timedelta(days=random.randint(0, 6))
        start = paid_until - timedelta(weeks=random.randint(3, 80))
        return {"start": str(start), "paid_until": str(paid_until), "anchor": str(start)}
    day = random.choice((1, 1, 5, 10, 12, 15, 15, 18, 20, 23, 28, 29, 30, 31, 31))
    if interval == "month":
        paid_until = TODAY.replace(day=day)
        start = day_of(2027 - random.randint(1, 3), random.randint(1, 12), day)
        return {"start": str(start), "paid_until": str(paid_until), "anchor": str(day)}
    month = random.randint(1, 12)
    paid_until = day_of(2027, month, day)
    start = day_of(2027 - random.randint(1, 3), month, day)
    # 29 February exists in one year of four; the anchor says that it is meant.
    anchor = date(2024, 2, 29) if (month, paid_until.day) == (2, 28) and day == 29 else start
    return {"start": str(start), "paid_until": str(paid_until), "anchor": str(anchor)}


def day_of(year: int, month: int, day: int) -> date:
    """Return the day, or the last of a month that is too short for it."""
    while True:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1


ASCII = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "í": "i", "ó": "o", "ú": "u"}
)

if __name__ == "__main__":
    main()
