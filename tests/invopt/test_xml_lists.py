"""Lists in XML: like elements beside each other, read element by element."""

import io
from pathlib import Path

import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from invopt.sources.xml_rows import is_list, write_list
from tests.invopt.test_odd_exports import tried

DAYS = [f"{d:%Y-%m-%d}" for d in pd.date_range("2025-01-06", periods=30)]
SOLD = sum(range(1, 31))


def opened(file):
    return io.BytesIO(Path(file).read_bytes())


def read(tmp_path, text, encoding=None, is_bytes=False):
    """Return the lines of the copy of an XML file, and the notes."""
    file, out = tmp_path / "in.xml", tmp_path / "out.csv"
    file.write_bytes(text if is_bytes else text.encode())
    notes = write_list(str(file), opened, out, encoding)
    return out.read_text(encoding="utf-8").splitlines(), notes


def test_attributes_of_like_elements_are_columns(tmp_path):
    body = "".join(f'<line date="{d}" sku="00{n % 2}" qty="{n}"/>' for n, d in enumerate(DAYS, 1))
    report, panel, told = tried(tmp_path, sales__xml=f"<sales>{body}</sales>")
    assert panel.unique_ids.tolist() == ["000", "001"]
    assert report.sums["sales.y"] == SOLD
    assert "sales.xml: each line is read as a row" in told


def test_lines_within_orders_have_what_stands_around_them(tmp_path):
    orders = "".join(
        f'<o:Order no="{n}"><o:OrderDate>{d}</o:OrderDate><o:Buyer>'
        "<o:Name>C&amp;A</o:Name></o:Buyer>"
        f"<o:Lines><o:Line><o:Sku>A</o:Sku><o:Qty>{n}</o:Qty></o:Line>"
        f"<o:Line><o:Sku>B</o:Sku><o:Qty>1</o:Qty></o:Line></o:Lines></o:Order>"
        for n, d in enumerate(DAYS, 1)
    )
    text = f'<?xml version="1.0"?>\n<o:Orders xmlns:o="urn:x">{orders}</o:Orders>'
    report, panel, _ = tried(tmp_path, orders__xml=text)
    assert panel.unique_ids.tolist() == ["A", "B"]
    assert panel.y.sum(axis=1).tolist() == [SOLD, 30]


def test_a_store_around_its_sales_is_their_place(tmp_path):
    stores = "".join(
        f'<Store name="{name}">'
        + "".join(f"<Sale><Date>{d}</Date><Article>X</Article><Quantity>{n}</Quantity></Sale>"
                  for n, d in enumerate(DAYS, 1))
        + "</Store>"
        for name in ("Lyon", "Nantes")
    )  # fmt: skip
    _, panel, _ = tried(tmp_path, ventes__xml=f'<Export on="2025-04-01">{stores}</Export>')
    assert panel.unique_ids.tolist() == ["X_Lyon", "X_Nantes"]


def test_what_stands_behind_the_lines_of_an_order_is_theirs(tmp_path):
    text = "<r>" + "".join(
        f"<order><line><sku>A</sku><qty>{n}</qty></line><line><sku>B</sku><qty>2</qty></line>"
        f"<pay><sum>{n}</sum><by>card</by></pay><day>{n}</day></order>"
        for n in (1, 2)
    ) + "</r>"  # fmt: skip
    rows, _ = read(tmp_path, text)
    assert rows == ["sum,by,day,sku,qty", "1,card,1,A,1", "1,card,1,B,2", "2,card,2,A,2",
                    "2,card,2,B,2"]  # fmt: skip


def test_a_field_that_some_rows_lack_is_empty_there_alone(tmp_path):
    text = "<r><s><a>1</a><b>x</b></s><s><a>2</a></s><s><a>3</a><b/></s></r>"
    assert read(tmp_path, text)[0] == ["a,b", "1,x", "2,", "3,"]


def test_the_larger_of_two_lists_is_read_and_the_other_told(tmp_path):
    text = ("<r><p><i n='1' k='2'/><i n='2' k='3'/></p><s>"
            + "".join(f"<e d='{n}' q='1' z='3'/>" for n in range(3)) + "</s></r>")  # fmt: skip
    rows, notes = read(tmp_path, text)
    assert rows[0] == "d,q,z"
    assert notes == ["in.xml: each e is read as a row", "in.xml: other lists are not read (i)"]


def test_an_encoding_is_the_files_own_or_the_copys(tmp_path):
    text = '<?xml version="1.0" encoding="ISO-8859-1"?><r><s a="é" b="1"/><s a="ü" b="2"/></r>'
    assert read(tmp_path, text.encode("latin-1"), is_bytes=True)[0][1:] == ["é,1", "ü,2"]
    assert read(tmp_path, text, "utf-8")[0][1:] == ["é,1", "ü,2"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<r><s a='1'>", "cannot be read as XML"),
        ("<r><a>1</a><b>2</b></r>", "without a list of like elements"),
        ('<!DOCTYPE r [<!ENTITY e "x">]><r><s a="&e;" b="1"/><s a="2" b="2"/></r>', "Forbidden"),
    ],
)
def test_what_is_no_list_is_refused_with_what_to_do(tmp_path, text, what):
    with pytest.raises(InvalidInputError, match=what):
        read(tmp_path, text)


def test_pages_and_spreadsheets_are_read_as_such(tmp_path):
    for text in (
        "<html><table/></html>",
        "<?xml version='1.0'?><ss:Workbook/>",
        "<!-- x --><table>",
    ):
        (tmp_path / "in.xml").write_text(text)
        assert not is_list(str(tmp_path / "in.xml"), opened)
