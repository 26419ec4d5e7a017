"""What Alembic runs. `console.schema` gives it a connection inside a transaction that is already open."""

from __future__ import annotations

from importlib import import_module

from alembic import context

from console.config import PROJECT_DIR
from console.db import Base

for models in sorted(PROJECT_DIR.glob("console/*/models.py")):
    import_module(f"console.{models.parent.name}.models")

import_module("console.access.idempotency")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite changes a table by making a new one.
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
