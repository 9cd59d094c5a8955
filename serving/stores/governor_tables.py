"""Tables of the governor's memory, and how they keep times."""

from datetime import UTC, datetime

import sqlalchemy as sa

META = sa.MetaData()
MUTEX = sa.Table(
    "mutex", META, sa.Column("id", sa.Integer, primary_key=True), sa.Column("turns", sa.Integer)
)
AUDIT = sa.Table(
    "audit",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False, index=True),
    sa.Column("start", sa.Text, nullable=False),
    sa.Column("end", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
)
RETRAININGS = sa.Table(
    "retraining",
    META,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, nullable=False, index=True),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("window", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("claimed_at", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Text, nullable=False),
    sa.Column("started_at", sa.Text),
    sa.Column("run", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("finished_at", sa.Text),
)
SWITCH = sa.Table(
    "switch",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("off", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
ACKNOWLEDGEMENTS = sa.Table(
    "acknowledgement",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False, index=True),
    sa.Column("causes", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
# What was written about a decision stays as it was written.
_SQLITE = """
CREATE TRIGGER IF NOT EXISTS audit_no_{verb} BEFORE {verb} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
"""
_POSTGRESQL = """
DO $do$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_trigger
                 WHERE tgname = 'audit_append_only' AND tgrelid = 'audit'::regclass) THEN
    CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$;
    CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
      EXECUTE FUNCTION audit_append_only();
  END IF;
END $do$
"""
# Taken before tables are made: two stores that are opened at once would both make them.
FIRST = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(hashtext('invopt governor'))",
}
APPEND_ONLY = {
    "sqlite": tuple(_SQLITE.format(verb=verb) for verb in ("UPDATE", "DELETE")),
    "postgresql": (_POSTGRESQL,),
}


def as_text(at: datetime) -> str:
    """Return a time as text that sorts: UTC, always with microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_time(text: str) -> datetime:
    """Return the time that as_text wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
