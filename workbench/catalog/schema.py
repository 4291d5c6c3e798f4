"""Brings a database to the schema this version of the workbench was written for."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from workbench.errors import SchemaMismatch

#: Newest migration under `migrations/versions`; a test holds it to what is there. Known here so that an up-to-date database,
#: which is nearly always the case, costs one query and no import of Alembic.
HEAD = "0003"


def migrate(connection: Connection) -> None:
    """Upgrades the schema where it is older; two processes at once take turns.

    Raises SchemaMismatch where the schema is newer than this code.
    """
    if _revision(connection) == HEAD:
        return
    connection.execute(text("select pg_advisory_xact_lock(hashtext('workbench.schema'))"))
    found = _revision(connection)
    if found == HEAD:
        return
    _refuse_unknown(found)
    _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("select version_num from alembic_version")).scalar()


def _refuse_unknown(found: str | None) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory(str(_FOLDER)).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaMismatch(
            f"The database has schema {found}; this workbench knows schemas up to {HEAD}. A newer workbench has used it: "
            "bring this installation to that version, or point WORKBENCH_DATABASE_URL at another database."
        )


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


_FOLDER = Path(__file__).with_name("migrations")
