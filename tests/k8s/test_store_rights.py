"""Roles of the bundled stores, as their manifests make them, on a real PostgreSQL and Redis."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from serving.settings import Settings
from serving.stores.feature_store import open_store
from tests.k8s.manifests import K8S
from tests.redis_server import redis_server

pytestmark = pytest.mark.slow

DATABASES = ("studies", "mlflow", "features", "governor")
ROLES = (*DATABASES, "server", "backup")
# What Optuna, MLflow and the governor keep, in small: a table with a sequence, a type, a function.
EARLIER = """
CREATE TYPE trialstate AS ENUM ('RUNNING', 'COMPLETE');
CREATE TABLE trials (id SERIAL PRIMARY KEY, state trialstate);
INSERT INTO trials (state) VALUES ('COMPLETE');
CREATE FUNCTION refuse() RETURNS trigger AS 'BEGIN RETURN NULL; END' LANGUAGE plpgsql;
"""


def run_databases(url: str, folder: Path, password: str) -> None:
    """Run databases.sh against a server, as its image does."""
    for role in ROLES:
        (folder / f"{role}-password").write_text(f"{password}-{role}'\n")
    done = run_script(url, K8S / "base/stores/databases.sh", INVOPT_SECRETS=str(folder))
    assert done.returncode == 0, done.stderr


def run_script(url, script, *arguments, **environment):
    """Run a script of the manifests with a server's own client programs."""
    server, programs = sa.make_url(url), sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    environment |= {
        "PATH": f"{programs}:{os.environ['PATH']}", "PGHOST": server.host,
        "PGPORT": str(server.port), "POSTGRES_USER": server.username,
    }  # fmt: skip
    return subprocess.run(
        ["sh", str(script), *map(str, arguments)], env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def databases(postgres, tmp_path_factory):
    """A server with a database of an earlier installation, after two runs of the script."""
    with sa.create_engine(postgres, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text("CREATE DATABASE studies"))
    with sa.create_engine(sa.make_url(postgres).set(database="studies")).begin() as connection:
        connection.execute(sa.text(EARLIER))
    for number in range(2):
        run_databases(postgres, tmp_path_factory.mktemp("secrets"), f"p{number}")
    yield sa.make_url(postgres)
    with sa.create_engine(postgres, isolation_level="AUTOCOMMIT").connect() as connection:
        for name in DATABASES:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        for role in ROLES:
            connection.execute(sa.text(f"DROP ROLE {role}"))


def connect(databases: sa.URL, role: str, database: str) -> sa.Engine:
    return sa.create_engine(databases.set(username=role, database=database))


def ask(databases: sa.URL, role: str, database: str, statement: str) -> None:
    with connect(databases, role, database).begin() as connection:
        connection.execute(sa.text(statement))


@pytest.mark.parametrize("role", [*DATABASES, "server"])
def test_a_role_enters_its_own_database_and_no_other_one(databases, role):
    own = {"server": "features"}.get(role, role)
    ask(databases, role, own, "SELECT 1")
    for other in {*DATABASES} - {own}:
        with pytest.raises(sa.exc.OperationalError, match="permission denied for database"):
            ask(databases, role, other, "SELECT 1")


def test_databases_are_made_in_utf8(databases):
    query = "SELECT datname, pg_encoding_to_char(encoding) FROM pg_database WHERE datallowconn"
    with sa.create_engine(databases).connect() as connection:
        found = dict(connection.execute(sa.text(query)).all())
    assert {found[name] for name in ("mlflow", "features", "governor")} == {"UTF8"}


def test_an_earlier_installation_s_tables_belong_to_the_role_that_now_works_with_them(databases):
    ask(databases, "studies", "studies", "INSERT INTO trials (state) VALUES ('RUNNING')")
    ask(databases, "studies", "studies", "ALTER TABLE trials ADD COLUMN value double precision")
    ask(databases, "studies", "studies", "ALTER TYPE trialstate ADD VALUE 'FAIL'")
    ask(databases, "studies", "studies", "DROP FUNCTION refuse")


def test_passwords_are_those_of_the_last_run_and_no_role_is_a_superuser(databases):
    query = "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname IN :r"
    statement = sa.text(query).bindparams(sa.bindparam("r", ROLES, expanding=True))
    with sa.create_engine(databases).connect() as connection:
        found = connection.execute(statement).all()
    assert sorted(found) == sorted((role, False, False, False) for role in ROLES)


@pytest.fixture
def redis(tmp_path):
    """Redis as the manifest starts it, on a port of its own."""
    manifest = (K8S / "base" / "stores" / "redis.yaml").read_text()
    lines = re.search(r"<<CONFIG\n(.*?)\n +CONFIG", manifest, re.S)
    config = "\n".join(line.strip() for line in lines[1].splitlines())
    config = config.replace("$REDIS_PASSWORD", "all").replace("$SERVER_PASSWORD", "reads")
    file = tmp_path / "redis.conf"
    file.write_text(f"{config}\n")
    with redis_server(str(file), "--dir", str(tmp_path), password="all") as port:
        yield port


def opened_as(settings, monkeypatch, **variables):
    """Return the feature store as a pod with these variables opens it; libpq reads its own."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return open_store(replace(settings, feature_variables=variables))


def test_the_server_reads_features_by_the_manifest_s_settings_and_changes_nothing(
    databases, redis, tmp_path, monkeypatch
):
    text = (K8S / "base" / "pipeline-jobs" / "feature_store.yaml").read_text()
    text = text.replace("//postgres/", f"//{databases.host}:{databases.port}/")
    text = text.replace("redis:6379", f"127.0.0.1:{redis}")
    (tmp_path / "feature_store.yaml").write_text(text)
    settings = Settings.from_environment(
        {
            "INVOPT_WORKSPACE": str(tmp_path),
            "INVOPT_FEATURE_CONFIG": str(tmp_path / "feature_store.yaml"),
        }
    )
    from feast import Entity, ValueType

    writer = opened_as(
        settings, monkeypatch, PGUSER="features", REDIS_USER="default", REDIS_PASSWORD="all"
    )
    writer.apply([Entity(name="series", value_type=ValueType.STRING)])
    reader = opened_as(
        settings, monkeypatch, PGUSER="server", REDIS_USER="server", REDIS_PASSWORD="reads"
    )
    assert [entity.name for entity in reader.list_entities()] == ["series"]
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied for table"):
        reader.apply([Entity(name="other", value_type=ValueType.STRING)])
    import redis as client

    own = client.Redis(port=redis, username="server", password="reads")
    client.Redis(port=redis, password="all").set("row", b"1")
    assert own.mget(["row"]) == [b"1"]
    for call in (lambda: own.set("row", b"2"), lambda: own.flushall(), lambda: own.config_get()):
        with pytest.raises(client.exceptions.NoPermissionError):
            call()


def backup(databases, place, keep=14):
    script = K8S / "components/backup/backup.sh"
    return run_script(databases, script, BACKUPS=str(place), KEEP=str(keep), PGUSER="backup")


def test_a_backup_restores_what_was_there_and_its_owner_works_on(databases, tmp_path):
    ask(databases, "mlflow", "mlflow", "CREATE TABLE runs (id SERIAL PRIMARY KEY, name text)")
    ask(databases, "mlflow", "mlflow", "INSERT INTO runs (name) VALUES ('before')")
    done = backup(databases, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mlflow: 1 tables" in done.stdout
    (folder,) = tmp_path.iterdir()
    assert {file.name for file in folder.iterdir()} == {f"{name}.dump" for name in DATABASES}
    ask(databases, "mlflow", "mlflow", "INSERT INTO runs (name) VALUES ('after')")
    restore = K8S / "components/backup/restore.sh"
    done = run_script(databases, restore, folder)
    assert done.returncode == 0, done.stderr
    with connect(databases, "mlflow", "mlflow").begin() as connection:
        assert connection.execute(sa.text("SELECT name FROM runs")).scalars().all() == ["before"]
        connection.execute(sa.text("INSERT INTO runs (name) VALUES ('later')"))
        connection.execute(sa.text("DROP TABLE runs"))
    with pytest.raises(sa.exc.OperationalError, match="permission denied for database"):
        ask(databases, "studies", "mlflow", "SELECT 1")


def test_a_folder_that_lacks_a_dump_restores_nothing(databases, tmp_path):
    done = run_script(databases, K8S / "components/backup/restore.sh", tmp_path, "governor")
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path} has no governor.dump. Nothing was changed.\n"


def test_the_newest_backups_stay_and_one_that_was_cut_off_goes(databases, tmp_path):
    for name in ("20200101T000000Z", "20200102T000000Z", ".partial-20200103T000000Z"):
        (tmp_path / name).mkdir()
    done = backup(databases, tmp_path, keep=2)
    assert done.returncode == 0, done.stderr
    kept = sorted(folder.name for folder in tmp_path.iterdir())
    assert len(kept) == 2
    assert kept[0] == "20200102T000000Z"


def test_the_backup_role_changes_nothing(databases):
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        ask(databases, "backup", "studies", "INSERT INTO trials (state) VALUES ('RUNNING')")
