"""What companies write where a number is not known: N/A, k.A., #NV, null, a bare dash."""

from invopt.sources.engine import Engine
from invopt.sql import literal, quote

# In small letters and without blanks around them; a blank inside may be any.
MARKS = frozenset(
    mark
    for line in (
        # What programs and spreadsheets write.
        "n/a|na|n.a.|n.a|n\\a|#n/a|#na|#nv|#n/d|#n/v|#nd|#ref!|#bezug!|#value!|#wert!|#valeur!"
        "|#valor!|#div/0!|#num!|#zahl!|#name?|#null!|nan|null|(null)|<null>|[null]|none|nil|\\n|<na>",
        # English, German, French, Spanish, Italian, Portuguese.
        "missing|not available|not known|unknown|no data|tbd|tba|k.a.|k. a.|ka|k.a|keine angabe"
        "|keine|keine daten|unbekannt|n.v.|n/v|nicht verfügbar|nicht bekannt|fehlt|n.d.|n/d|nd|n.c."
        "|n/c|non disponible|inconnu|manquant|s/d|s.d.|sin dato|sin datos|no disponible|desconocido"
        "|non disponibile|sconosciuto|sem dados|não disponível|desconhecido|n/disp",
        # Dutch, Polish, Turkish, Danish, Swedish, Czech.
        "n.v.t.|nvt|onbekend|geen|brak|brak danych|b.d.|yok|veri yok|ukendt|mangler|saknas|okänd"
        "|neuvedeno",
        # Russian, Ukrainian, Greek, Chinese, Japanese, Korean, Arabic, Hebrew.
        "н/д|нет данных|не указано|немає даних|δ/υ|无|暂无|无数据|未知|なし|不明"
        "|該当なし|없음|해당없음"
        "|غير متوفر|لا يوجد|אין",
        "-|--|---|–|—|?|??|.|..|...|…|*|/",
    )
    for mark in line.split("|")
)
TEXTS = "texts and no numbers"
# Words that may as well say that there is nothing of it: zero, and not unknown.
NOTHING = frozenset(
    ["none", "keine", "null", "geen", "nil", "no", "yok", "brak", "なし", "无", "없음"]
)
_SHOWN = 4
_AT_ONCE = 50  # columns of one query
# Columns without which a row says nothing.
_NEEDED = ("y", "on_hand", "on_order", "quantity")


def marked(column: str) -> str:
    """Return the reason that sets a row aside whose number is a mark for what is not known."""
    return f"{column} is not known (a mark, as N/A)"


REASONS = (*map(marked, _NEEDED), marked("cell"))
EMPTY = tuple(f"{column} is empty" for column in _NEEDED)


def is_mark(value: str) -> bool:
    """Return whether a text stands for a number that is not known."""
    return " ".join(value.lower().split()) in MARKS


def is_mark_sql(text: str) -> str:
    """Return the SQL of whether a text stands for a number that is not known; never NULL.

    Args:
        text: Expression of the text.
    """
    plain = f"regexp_replace(trim(lower(({text})::VARCHAR)), '\\s+', ' ', 'g')"
    return f"coalesce({plain} IN ({', '.join(map(literal, sorted(MARKS)))}), false)"


def sets_aside(column: str) -> bool:
    """Return whether a mark in a column sets its row aside, and is not only unknown."""
    return column in _NEEDED


def _is_no_figure(raw: str) -> str:
    """Return the condition that a text holds no figure, or is a mark."""
    return (
        f"coalesce(isnan(TRY_CAST({raw} AS DOUBLE)), {raw} IS NOT NULL) AND trim({raw}) <> '' "
        f"AND ({is_mark_sql(raw)} OR NOT regexp_matches({raw}, '[0-9٠-٩۰-۹]'))"
    )


def _with_texts(reader: Engine, name: str, source: str, texts: dict[str, str]) -> list[str]:
    """Return the columns that hold such a text, many of them asked for at once.

    A query for each of some hundreds of columns would read the source as often.
    """
    names, found = list(texts), []
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        conditions = (_is_no_figure(texts[column]) for column in some)
        tests = ", ".join(f"bool_or({test}) AS c{n}" for n, test in enumerate(conditions))
        [row] = reader.fetch(f"SELECT {tests} FROM {quote(source)}", name).to_pylist()
        found += [column for n, column in enumerate(some) if row[f"c{n}"]]
    return found


def tell_texts(reader: Engine, name: str, source: str, texts: dict[str, str]) -> None:
    """Note the texts in columns of numbers that hold no figure: marks, and what nobody knows.

    Args:
        reader: Holds the source; gets the notes.
        name: Of the table.
        source: That it reads from.
        texts: Expression by column, of those held as text.
    """
    for column in _with_texts(reader, name, source, texts):
        raw = texts[column]
        rows = reader.fetch(
            f"SELECT trim({raw}) AS v, {is_mark_sql(raw)} AS known, count(*) AS n FROM "
            f"{quote(source)} WHERE {_is_no_figure(raw)} "
            "GROUP BY 1, 2 ORDER BY n DESC, v LIMIT 1000",
            name,
        ).to_pylist()
        for known, fate in (
            (True, "marks for what is not known"),
            (False, TEXTS),
        ):
            found = [row for row in rows if row["known"] is known]
            if not found:
                continue
            listed = ", ".join(f"{row['v'][:40]} ({row['n']:,})" for row in found[:_SHOWN])
            more = f" and {len(found) - _SHOWN} others" if len(found) > _SHOWN else ""
            aside = known and not sets_aside(column)
            reader.notes.append(
                f"{name}: {sum(row['n'] for row in found):,} values of {column} are {fate} "
                f"({listed}{more}): {'read as not given' if aside else 'their rows are set aside'}"
            )
