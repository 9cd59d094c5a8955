"""A mapping is code: what it may reach, where secrets belong, and what is never told."""

import pytest

from invopt.config import Config
from invopt.errors import ConfigError, InvalidInputError
from invopt.files import read_csv, write_csv
from invopt.sources import Mapping, read_dataset
from invopt.sources.secrets import database_url, without_secrets
from tests.builders import write_files

SECRETS = {"USER": "o'brien", "PW": "p@ss/w:rd", "URL": "sqlite:///x.db"}


def mapping(**sources):
    return Mapping.model_validate(
        {
            "name": "shop",
            "frequency": "D",
            "unique_id": "sku",
            "sources": {"lines": "lines.csv", **sources},
            "sales": {"from": "lines", "ds": "day", "columns": {"y": "qty"}},
        }
    )


def test_variables_stand_for_user_password_or_the_whole_url_and_are_quoted():
    url = database_url("erp", "postgresql://${USER}:${PW}@host/db", SECRETS)
    assert url == "postgresql://o%27brien:p%40ss%2Fw%3Ard@host/db"
    assert database_url("erp", "${URL}", SECRETS) == "sqlite:///x.db"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://host/${PW}", "is for secrets"),
        ("postgresql://u:p@${PW}/db", "is for secrets"),
        ("postgresql://u:p@ss@host/db", "holds an @.*write %40"),
        ("postgresql://${NOBODY}@host/db", "names 'NOBODY', which is not set"),
    ],
)
def test_a_variable_elsewhere_and_a_bare_at_are_refused_without_a_secret(url, message):
    with pytest.raises(ConfigError, match=message) as err:
        database_url("erp", url, SECRETS)
    assert "p@ss" not in str(err.value)
    assert "ss@" not in str(err.value)


def test_no_part_of_a_password_is_in_a_message():
    url = "postgresql://u:p@ss@host/db"
    told = without_secrets("failed to resolve host 'ss', tried p@ss", url, "${URL}", {"URL": url})
    assert told == "failed to resolve host '***', tried ***"


@pytest.mark.parametrize(
    "url", ["mysql://u:geheim@127.0.0.1/db", "postgresql+psycopg://u:geheim@127.0.0.1:port/db",
            "nonsense://u:geheim@127.0.0.1/db"],
)  # fmt: skip
def test_a_driver_that_is_not_there_and_a_bad_port_are_one_sentence(tmp_path, url):
    data = write_files(tmp_path / "data", lines_csv="sku,day,qty\na,2024-01-01,1\n")
    erp = mapping(erp={"url": url, "query": "SELECT 1"})
    with pytest.raises(InvalidInputError, match=r"sources\.erp: the query failed") as err:
        read_dataset(erp, data, tmp_path / "out")
    assert "geheim" not in str(err.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM lines; COPY (SELECT 1) TO '{secret}'",
        "SELECT * FROM lines; SET enable_external_access=true",
        "SELECT * FROM lines; ATTACH '{secret}' AS other",
    ],
)
def test_a_mappings_sql_reaches_its_sources_and_nothing_else(tmp_path, sql):
    secret = tmp_path / "secret.txt"
    secret.write_text("geheim")
    data = write_files(tmp_path / "data", lines_csv="sku,day,qty\na,2024-01-01,1\n")
    reaching = mapping(more={"sql": sql.format(secret=secret)})
    reaching = reaching.model_copy(update={"products": None})
    with pytest.raises(InvalidInputError, match=r"sources\.more"):
        report = read_dataset(reaching, data, tmp_path / "out")
        pytest.fail(f"read {report.num_series} series")
    assert secret.read_text() == "geheim"


def test_an_expression_of_a_column_cannot_read_a_file_either(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("1")
    data = write_files(tmp_path / "data", lines_csv="sku,day,qty\na,2024-01-01,1\n")
    content = mapping().model_dump(by_alias=True, exclude_unset=True)
    content["sales"]["columns"]["y"] = {"expr": f"(SELECT content FROM read_text('{secret}'))"}
    with pytest.raises(InvalidInputError, match="sales.columns.y"):
        read_dataset(Mapping.model_validate(content), data, tmp_path / "out")


@pytest.mark.parametrize("name", ["../evil", "shop's", "a/b", "", "-x", "é"])
def test_a_name_that_is_no_plain_word_is_refused_with_its_file(name):
    with pytest.raises(ValueError, match="a name has letters, digits"):
        Config.model_validate({"name": name, "data": {"mapping": "m.yaml"}})
    with pytest.raises(ValueError, match="a name has letters, digits"):
        Mapping.model_validate(
            mapping().model_dump(by_alias=True, exclude_unset=True) | {"name": name}
        )


def test_the_name_of_a_source_holds_no_quote():
    with pytest.raises(ValueError, match="the name of a source has letters"):
        mapping(**{'x" AS SELECT 1; --': {"sql": "SELECT 1"}})


def test_cells_that_a_spreadsheet_would_run_are_text_and_read_back_as_they_were(tmp_path):
    import pandas as pd

    ids = ["=HYPERLINK(1)", "+1A", "-A", "@sum", "\tx", "A1", "-5", "'A"]
    frame = pd.DataFrame({"unique_id": ids, "order_quantity": [-1.0] * len(ids)})
    write_csv(tmp_path / "orders.csv", frame)
    text = (tmp_path / "orders.csv").read_text()
    assert text.splitlines()[1] == '"\'=HYPERLINK(1)",-1'
    assert "'-5" not in text
    back = read_csv(tmp_path / "orders.csv", dtype={"unique_id": str})
    assert back["unique_id"].tolist() == ids
    assert back["order_quantity"].tolist() == [-1.0] * len(ids)
