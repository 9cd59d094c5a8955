#!/bin/sh
# python-calamine 0.9.1, and polars 2.1.0 by fastexcel 0.21.0: a cell that holds an error of a
# spreadsheet (#REF!, #DIV/0!, #N/A) is read as an empty one, without a word, and its column keeps
# a type of numbers. A count of the stock whose formula broke cannot be told from one that nobody
# made. openpyxl 3.1.5 gives the error's text and marks the cell as one (type "e"). Ordinary cause:
# a list of stock whose look-up lost its sheet.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet python-calamine==0.9.1 polars==2.1.0 fastexcel==0.21.0 \
    pyarrow==26.0.1 openpyxl==3.1.5
cd "$place"
venv/bin/python - <<'PY'
import openpyxl
import polars
from python_calamine import CalamineWorkbook

book = openpyxl.Workbook()
for row in (
    ["item", "stock", "cost"], ["A", 5, 1.5], ["B", "#REF!", 2.5], ["C", 7, "#DIV/0!"],
    ["D", None, 3.0],
):
    book.active.append(row)
book.save("stock.xlsx")

cell = openpyxl.load_workbook("stock.xlsx").active["B3"]
print("openpyxl:", cell.data_type, cell.value)
rows = CalamineWorkbook.from_path("stock.xlsx").get_sheet_by_index(0).to_python()
print("calamine:", rows[2], rows[4])
table = polars.read_excel("stock.xlsx")
print("polars:", table["stock"].dtype, table["stock"].to_list(), table["cost"].to_list())
# Seen: openpyxl: e #REF!
#       calamine: ['B', '', 2.5] ['D', '', 3.0]
#       polars: Int64 [5, None, 7, None] [1.5, 2.5, None, 3.0]
assert (cell.data_type, cell.value) == ("e", "#REF!")
assert rows[2] == ["B", "", 2.5] and rows[4] == ["D", "", 3.0], rows
assert table["stock"].to_list() == [5, None, 7, None]
assert table["cost"].to_list() == [1.5, 2.5, None, 3.0]
PY
