"""The command line, as somebody types it: in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

FILE = """\
external_id,name,country,language,product,amount,currency,interval,paid_until
c1,Ada,DE,de,Team,29.00,EUR,month,2027-01-15
c2,Grace,GB,en,Team,25.00,GBP,month,2027-01-31
"""


def command_in(folder: Path) -> Cli:
    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "subscriptions.cli", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "100"},
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return command_in(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, str]:
    """A folder in which one month of the demonstration was run."""
    cli = command_in(tmp_path_factory.mktemp("demo"))
    return cli, cli("demo", "--months", "1").stdout


def test_the_demo_shows_what_a_person_wants_to_see(demo: tuple[Cli, str]) -> None:
    _, shown = demo
    assert "500 customers in 8 countries: 500 imported." in shown
    assert "2027-01" in shown
    for heading in ("Month by month", "by currency", "Monthly recurring revenue", "recovered"):
        assert heading in shown
    assert "no gap, no double, no change" in shown
    assert "set aside" not in shown
    assert "IBAN" in shown
    assert "Invoice number" not in shown
    assert "subscriptions-demo.db" in shown
    assert "subscriptions invoices --status open" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_a_second_demo_goes_on_and_doubles_nothing(
    demo: tuple[Cli, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cli, _ = demo
    second = cli("demo", "--months", "1").stdout
    assert "0 imported, 500 known already" in second
    assert "goes on with February 2027" in second
    assert "no gap, no double, no change" in second
    assert "set aside" not in second
    # Two processes tell the very story that one tells.
    whole = command_in(tmp_path)("demo", "--months", "2").stdout
    months = [line for line in whole.splitlines() if line.startswith("2027-02")]
    assert months[0] in second.splitlines()


def test_the_demo_may_lie_elsewhere(cli: Cli, tmp_path: Path) -> None:
    shown = cli("demo", "--months", "1", "--database", "other.db").stdout
    assert "--database other.db" in shown
    assert (tmp_path / "other.db").exists()
    assert not (tmp_path / "subscriptions-demo.db").exists()


def test_import_run_and_invoices_work_on_one_file(cli: Cli, file: Path, tmp_path: Path) -> None:
    arguments = ("import", "customers.csv", "--on", "2027-01-01", "--database", "a.db")
    assert "2 rows: 2 would be created" in cli(*arguments, "--dry-run").stdout
    assert not (tmp_path / "a.db").exists()
    assert "2 rows: 2 created, 0 known already, 0 wrong" in cli(*arguments).stdout
    assert "0 created, 2 known already" in cli(*arguments).stdout
    database = ("--database", "a.db")
    assert "2 invoices" in cli("run", "--until", "2027-01-31", *database).stdout
    assert " 0 invoices" in cli("run", "--until", "2027-01-31", *database).stdout
    listed = cli("invoices", *database).stdout
    assert "INV-2027-00001" in listed
    assert "34.51 EUR" in listed
    for name in ("c1", "000001"):
        assert "INV-2027-00002" not in cli("invoices", "--customer", name, *database).stdout
    assert "no invoices" in cli("invoices", "--status", "paid", *database).stdout
    assert "1 earlier" in cli("invoices", "--limit", "1", *database).stdout
    german = cli("invoices", "--text", "INV-2027-00001", *database).stdout
    assert "RECHNUNG" in german
    english = cli("invoices", "--text", "INV-2027-00001", "--language", "en", *database).stdout
    assert "INVOICE" in english


def test_bad_rows_are_told_by_row_and_field(cli: Cli, tmp_path: Path) -> None:
    rows = [f"x{n},,DE" for n in range(30)]
    (tmp_path / "bad.csv").write_text("\n".join(["external_id,name,country", *rows]))
    done = cli("import", "bad.csv", code=2)
    assert "30 rows: 0 created, 0 known already, 30 wrong" in done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == "bad.csv: row 2: name: must not be empty; got ''"
    assert lines[-1] == "bad.csv: … and 10 more"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "arguments are required"),
        (("dance",), "invalid choice"),
        (("run", "--until", "soon"), "a day such as 2027-12-31"),
        (("run", "--database", "none.db"), "a file that exists"),
        (("run", "--database", "."), "a file in a folder that exists"),
        (("run", "--database", "text.db"), "a database of this library"),
        (("demo", "--months", "0"), "a number of months"),
        (("demo", "--database", "no/where.db"), "a file in a folder that exists"),
        (("import", "none.csv"), "No such file"),
        (("import", "."), "directory"),
        (("invoices", "--limit", "x", "--database", "a.db"), "a number from 1"),
        (
            ("invoices", "--customer", "nobody", "--database", "a.db"),
            "an id, number or external id",
        ),
        (("invoices", "--text", "R-1", "--database", "a.db"), "the number of an invoice"),
        (("run", "--app", "no_such_module:billing"), "MODULE:NAME"),
        (("run", "--app", "json"), "MODULE:NAME"),
        (("run", "--app", "json:loads"), "a Billing"),
    ],
)
def test_a_mistake_is_one_line_and_the_exit_code_2(
    cli: Cli, file: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "text.db").write_text("this is no database, but a text of some length\n" * 9)
    if "a.db" in arguments:
        cli("import", "customers.csv", "--on", "2027-01-01", "--database", "a.db")
    done = cli(*arguments, code=2)
    assert told in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_a_host_may_name_its_own_billing(cli: Cli, file: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from subscriptions import Billing, SqlStorage\n"
        "billing = Billing(storage=SqlStorage('sqlite:///shop.db'))\n"
    )
    app = ("--app", "shop:billing")
    assert "2 created" in cli("import", "customers.csv", "--on", "2027-01-01", *app).stdout
    assert "2 invoices" in cli("run", "--until", "2027-01-31", *app).stdout
    assert "29.00 EUR" in cli("invoices", *app).stdout


def test_help_says_how_to_begin(cli: Cli) -> None:
    shown = cli("--help").stdout
    assert "subscriptions demo" in shown
    for command in ("demo", "import", "run", "invoices"):
        assert "usage: subscriptions" in cli(command, "--help").stdout


def test_the_data_of_the_demo_are_those_of_the_examples() -> None:
    packaged = ROOT / "src" / "subscriptions" / "cli" / "customers.csv"
    example = ROOT / "examples" / "data" / "customers.csv"
    assert packaged.read_bytes() == example.read_bytes()
    assert example.read_bytes().count(b"\r\n") == 501
