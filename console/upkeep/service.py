"""What Celeriac's own upkeep is. When it runs, its built-in schedules say (`console.schedules.builtin`)."""

from __future__ import annotations

RETENTION = "celeriac.retention"
ROLLUPS = "celeriac.rollups"
AUDIT = "celeriac.audit"
FILES = "celeriac.files"
