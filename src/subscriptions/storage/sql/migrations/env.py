"""Run the scripts on the connection that the storage hands over, in its transaction."""

from alembic import context

from subscriptions.storage.sql.tables import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
