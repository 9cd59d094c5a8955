"""The governor's memory: every decision and retraining, in one database, crash or no crash.

Each operation is one transaction, whose first statement takes a lock that every other operation
waits for: two monitors can run at the same time, and a process may die between any two writes.
What a dead process had claimed comes free when its lease runs out.
"""

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from invopt.config import GovernorConfig
from invopt.files import plain
from invopt.monitoring.acknowledgement import Acknowledgement
from invopt.monitoring.governor import brakes_of, decide
from invopt.monitoring.payback import saved
from invopt.monitoring.retraining_decision import (
    EXPIRED,
    OUTCOMES,
    RETRAIN,
    Memory,
    Retraining,
    RetrainingDecision,
    Situation,
)
from invopt.monitoring.signals import UNREADABLE, present_name
from serving.stores.governor_tables import (
    ACKNOWLEDGEMENTS,
    APPEND_ONLY,
    AUDIT,
    FIRST,
    META,
    MUTEX,
    RETRAININGS,
    SWITCH,
    as_text,
    as_time,
)

# Decisions that matter to the next one: two years of weeks.
_REMEMBERED = 104
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def clock() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Claim:
    """A retraining that this process, and no other, may start.

    Attributes:
        key: Idempotency key.
        owner: Secret of the claim; a later claim of the same key has another.
        cause: What it is for.
        window: Period whose evidence asked for it.
    """

    key: str
    owner: str
    cause: str
    window: str


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """One decision as it was written.

    Attributes:
        number: Ascending.
        at: When.
        run: Monitoring run.
        model: Registered name.
        start: First day of the period.
        end: First day of its last period, by which it is known.
        action: ignore, alert, retrain or page.
        content: Situation, memory, configuration, brakes and decision, whole.
    """

    number: int
    at: datetime
    run: str
    model: str
    start: str
    end: str
    action: str
    content: dict[str, Any]

    @property
    def last_day(self) -> str:
        """Last day of the period; rows of earlier versions know the first of its last period."""
        return str(self.content["situation"].get("last_day") or self.end)


class GovernorStore:
    """Decisions and retrainings in a database.

    Args:
        url: SQLAlchemy's; a file for one machine, PostgreSQL for several.
    """

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url, connect_args=_connect_args(url))
        with self.engine.begin() as connection:
            if first := FIRST.get(self.engine.dialect.name):
                connection.exec_driver_sql(first)
            META.create_all(connection)
            for statement in APPEND_ONLY.get(self.engine.dialect.name, ()):
                connection.exec_driver_sql(statement)
            if connection.execute(sa.select(MUTEX.c.id)).first() is None:
                connection.execute(MUTEX.insert().values(id=1, turns=0))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def decide(
        self, situation: Situation, config: GovernorConfig, now: datetime, run: str
    ) -> tuple[RetrainingDecision, Claim | None]:
        """Decide, write the audit row and claim the retraining, all or nothing.

        The same run asking again gets the decision that was written, and no second claim.
        """
        with self._turn() as connection:
            earlier = _decided(connection, run, situation)
            if earlier is not None:
                return earlier, None
            _expire(connection, now)
            memory = _memory(connection, situation.model)
            decision = decide(situation, memory, config, now)
            connection.execute(
                AUDIT.insert().values(
                    at=as_text(now), run=run, model=situation.model, start=situation.start,
                    end=situation.end, action=decision.action,
                    content=json.dumps(plain(_content(situation, memory, config, decision, now))),
                )
            )  # fmt: skip
            if decision.action != RETRAIN or decision.dry_run:
                return decision, None
            claim = Claim(decision.key, uuid.uuid4().hex, decision.cause, situation.window)
            # A claim whose owner died before it started anything may be taken over.
            connection.execute(RETRAININGS.delete().where(RETRAININGS.c.key == claim.key))
            connection.execute(
                RETRAININGS.insert().values(
                    key=claim.key, model=situation.model, cause=claim.cause, window=claim.window,
                    owner=claim.owner, claimed_at=as_text(now),
                    lease_until=as_text(_lease(now, config)),
                )
            )  # fmt: skip
            return decision, claim

    def begin(self, claim: Claim, run: str, config: GovernorConfig, now: datetime) -> bool:
        """Note that a claimed retraining starts; False when the claim has run out meanwhile."""
        return self._change(
            claim, now, started_at=as_text(now), run=run, lease_until=as_text(_lease(now, config))
        )

    def renew(self, claim: Claim, config: GovernorConfig, now: datetime) -> bool:
        """Give a sign of life; False when the lease was lost, and the run has to stop."""
        return self._change(claim, now, lease_until=as_text(_lease(now, config)))

    def finish(self, claim: Claim, outcome: str, now: datetime) -> bool:
        """Write how a retraining ended; False when its lease had been lost before.

        Raises:
            ValueError: If the outcome is none of promoted, kept, failed, expired.
        """
        if outcome not in OUTCOMES:
            raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}, got {outcome!r}")
        return self._change(claim, now, outcome=outcome, finished_at=as_text(now))

    def open_claims(self, model: str) -> list[tuple[Claim, str]]:
        """Return the retrainings that started and have not ended, each with its run."""
        query = sa.select(RETRAININGS).where(
            RETRAININGS.c.model == model,
            RETRAININGS.c.outcome.is_(None),
            RETRAININGS.c.started_at.is_not(None),
        )
        with self.engine.connect() as connection:
            return [
                (Claim(r.key, r.owner, r.cause, r.window), r.run) for r in connection.execute(query)
            ]

    def switch(self, model: str, *, off: bool, reason: str, now: datetime) -> None:
        """Turn retraining of a model off or on; on also closes the breaker."""
        with self._turn() as connection:
            connection.execute(
                SWITCH.insert().values(at=as_text(now), model=model, off=off, reason=reason)
            )

    def acknowledge(self, model: str, word: Acknowledgement) -> None:
        """Keep who looks at what a run paged for."""
        with self._turn() as connection:
            connection.execute(
                ACKNOWLEDGEMENTS.insert().values(
                    at=as_text(word.at), run=word.run, model=model,
                    causes=json.dumps(list(word.causes)), who=word.who,
                    until=word.until.isoformat() if word.until else "", reason=word.reason,
                )
            )  # fmt: skip

    def acknowledgements(self, model: str) -> list[Acknowledgement]:
        """Return all that were made for a model, oldest first."""
        query = (
            sa.select(ACKNOWLEDGEMENTS)
            .where(ACKNOWLEDGEMENTS.c.model == model)
            .order_by(ACKNOWLEDGEMENTS.c.id)
        )
        with self.engine.connect() as connection:
            return [
                Acknowledgement(
                    run=r.run, causes=tuple(json.loads(r.causes)), who=r.who, at=as_time(r.at),
                    until=date.fromisoformat(r.until) if r.until else None, reason=r.reason,
                )
                for r in connection.execute(query)
            ]  # fmt: skip

    def memory(self, model: str) -> Memory:
        """Return what the next decision would know."""
        with self.engine.connect() as connection:
            return _memory(connection, model)

    def audit(self, model: str | None = None, limit: int | None = None) -> list[AuditRow]:
        """Return decisions, newest first."""
        query = sa.select(AUDIT).order_by(AUDIT.c.id.desc())
        if model is not None:
            query = query.where(AUDIT.c.model == model)
        if limit is not None:
            query = query.limit(limit)
        with self.engine.connect() as connection:
            return [_row(r) for r in connection.execute(query)]

    def find(self, what: str) -> list[AuditRow]:
        """Return the decisions of a run, or about the period that holds a date (YYYY-MM-DD)."""
        is_date = _DATE.fullmatch(what) is not None
        return [
            r for r in self.audit() if r.run == what or (is_date and r.start <= what <= r.last_day)
        ]

    def _change(self, claim: Claim, now: datetime, **values: str) -> bool:
        """Change a retraining that this claim still owns; False when it does not."""
        owned = (
            (RETRAININGS.c.key == claim.key)
            & (RETRAININGS.c.owner == claim.owner)
            & RETRAININGS.c.outcome.is_(None)
            & (RETRAININGS.c.lease_until > as_text(now))
        )
        with self._turn() as connection:
            return (
                connection.execute(RETRAININGS.update().where(owned).values(values)).rowcount == 1
            )

    @contextmanager
    def _turn(self) -> Iterator[sa.Connection]:
        """Run a transaction that no other overlaps: its first write waits for all before it."""
        with self.engine.begin() as connection:
            connection.execute(MUTEX.update().values(turns=MUTEX.c.turns + 1))
            yield connection


def _connect_args(url: str) -> dict[str, Any]:
    return {"timeout": 60} if url.startswith("sqlite") else {}


def _lease(now: datetime, config: GovernorConfig) -> datetime:
    return now + timedelta(minutes=config.lease_minutes)


def _expire(connection: sa.Connection, now: datetime) -> None:
    """Close the retrainings whose owner gave no sign of life."""
    lost = RETRAININGS.c.outcome.is_(None) & (RETRAININGS.c.lease_until <= as_text(now))
    connection.execute(
        RETRAININGS.update().where(lost).values(outcome=EXPIRED, finished_at=as_text(now))
    )


def _memory(connection: sa.Connection, model: str) -> Memory:
    rows = connection.execute(
        sa.select(AUDIT)
        .where(AUDIT.c.model == model)
        .order_by(AUDIT.c.id.desc())
        .limit(_REMEMBERED)
    ).all()[::-1]
    contents = [json.loads(row.content) for row in rows]
    causes, paged, urgent = _periods(rows, contents)
    switches = connection.execute(
        sa.select(SWITCH).where(SWITCH.c.model == model).order_by(SWITCH.c.id)
    ).all()
    turned_on = [s.at for s in switches if not s.off]
    return Memory(
        causes,
        paged,
        _retrainings(connection, model, contents),
        switched_off=(switches[-1].reason or "turned off") if switches and switches[-1].off else "",
        reset_at=as_time(turned_on[-1]) if turned_on else None,
        last_decision=max((as_time(r.at) for r in rows), default=None),
        urgent=urgent,
    )


def _periods(
    rows: Sequence[Any], contents: Sequence[dict[str, Any]]
) -> tuple[dict[str, frozenset[str]], dict[str, str], frozenset[str]]:
    """Return the causes by period, the period each was paged in last, and urgent periods."""
    causes: dict[str, frozenset[str]] = {}
    paged: dict[str, str] = {}
    urgent: dict[str, bool] = {}
    for row, content in zip(rows, contents, strict=True):
        decision = content["decision"]
        found = frozenset(map(present_name, decision["streaks"]))
        if UNREADABLE in found:  # nothing was judged: what is known of the period stands
            found |= causes.get(row.end, frozenset())
        else:
            urgent[row.end] = decision.get("urgent", False)
        causes[row.end] = found
        paged |= dict.fromkeys(map(present_name, decision["paged"]), row.end)
    return causes, paged, frozenset(end for end, was in urgent.items() if was)


def _retrainings(
    connection: sa.Connection, model: str, contents: Sequence[dict[str, Any]]
) -> list[Retraining]:
    """Return the retrainings of a model, the first one first."""
    query = sa.select(RETRAININGS).where(RETRAININGS.c.model == model)
    return [
        Retraining(
            r.key,
            as_time(r.claimed_at),
            as_time(r.lease_until),
            started_at=as_time(r.started_at) if r.started_at else None,
            outcome=r.outcome,
            cause=present_name(r.cause),
            **_gains(contents, r.key, r.outcome),
        )
        for r in connection.execute(query.order_by(RETRAININGS.c.claimed_at))
    ]


def _gains(
    contents: Sequence[dict[str, Any]], key: str, outcome: str | None
) -> dict[str, float | None]:
    """Return what a retraining promised and saved a period, as far as decisions tell."""
    for number, content in enumerate(contents):
        decision, asked = content["decision"], content["situation"]
        if decision["action"] != RETRAIN or decision["key"] != key:
            continue
        later = [
            c["situation"]["avoidable_cost"]
            for c in contents[number + 1 :]
            if c["situation"]["version"] != asked["version"]
            and c["situation"]["conclusive"]
            and c["situation"].get("avoidable_cost") is not None
        ]
        promised = asked.get("avoidable_cost")
        return {"promised": promised, "saved": saved(promised, outcome, later)}
    return {"promised": None, "saved": None}


def _decided(
    connection: sa.Connection, run: str, situation: Situation
) -> RetrainingDecision | None:
    row = connection.execute(
        sa.select(AUDIT).where(
            AUDIT.c.run == run, AUDIT.c.model == situation.model, AUDIT.c.end == situation.end
        )
    ).first()
    if row is None:
        return None
    return RetrainingDecision.from_dict(json.loads(row.content)["decision"])


def _content(
    situation: Situation,
    memory: Memory,
    config: GovernorConfig,
    decision: RetrainingDecision,
    now: datetime,
) -> dict[str, Any]:
    """Return everything a decision rests on, as plain data.

    Brakes are told as they stood, also where nothing asked for a retraining.
    """
    brakes = decision.brakes or brakes_of(situation, memory, config, now, "")
    return {
        "situation": {
            **{k: v for k, v in vars(situation).items() if k != "signals"},
            "signals": [s.as_dict() for s in situation.signals],
        },
        "memory": {
            "causes": {end: sorted(names) for end, names in memory.causes.items()},
            "paged": dict(memory.paged),
            "retrainings": [
                {k: as_text(v) if isinstance(v, datetime) else v for k, v in vars(r).items()}
                for r in memory.retrainings
            ],
            "urgent": sorted(memory.urgent),
            "switched_off": memory.switched_off,
            "reset_at": as_text(memory.reset_at) if memory.reset_at else None,
        },
        "config": config.model_dump(mode="json"),
        "brakes": [asdict(brake) for brake in brakes],
        "decision": decision.as_dict(),
    }


def _row(row: Any) -> AuditRow:
    return AuditRow(
        number=row.id, at=as_time(row.at), run=row.run, model=row.model, start=row.start,
        end=row.end, action=row.action, content=json.loads(row.content),
    )  # fmt: skip
