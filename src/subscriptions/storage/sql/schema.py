"""The version of the tables: what is found, what this release knows, and the way between them.

The scripts lie in `migrations/versions/`, written out and never edited after a release. The version
stands in a table of its own, so that the host's own migrations and these do not meet.
"""

# ruff: noqa: S608 - names of tables and columns come from declared kinds; values are bound

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from subscriptions.errors import ValidationError
from subscriptions.storage.sql.tables import VERSION_TABLE

VERSIONS = ("0001",)
"""The versions that this release knows, oldest first."""
HEAD = VERSIONS[-1]
MIGRATIONS = Path(__file__).parent / "migrations"


def version(connection: sa.Connection) -> str | None:
    """Return the version of the tables; None where there are none."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.exec_driver_sql(
        f"SELECT version_num FROM {VERSION_TABLE}"
    ).scalar()
    return found


def refuse_newer(found: str | None) -> None:
    """Raise `ValidationError` for tables that a later release has made: they are not understood."""
    if found is not None and found not in VERSIONS:
        raise ValidationError(
            "schema", found, f"{HEAD} or older; the database belongs to a newer release"
        )


def require_head(found: str | None) -> None:
    """Raise `ValidationError` unless the tables are those of this release."""
    refuse_newer(found)
    if found != HEAD:
        raise ValidationError("schema", found, f"{HEAD}; call migrate() on the storage first")


def upgrade(connection: sa.Connection) -> None:
    """Run what leads from the version that is found to the latest, in the present transaction."""
    # Loaded when there is something to migrate: it takes longer than everything else here.
    from alembic.command import upgrade as run  # noqa: PLC0415 - loaded when first used
    from alembic.config import Config  # noqa: PLC0415 - loaded when first used

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    run(config, "head")
