"""A file of sales: which of its columns are what, and which are neither goods nor counts."""

from dataclasses import dataclass

from invopt.sources.duck import Reader
from invopt.sources.facts import ColumnFacts, FileFacts, num_combined
from invopt.sources.vocabulary import DOCUMENTS, by_word, is_ruled_out, plain
from invopt.sources.words import Keys
from invopt.sql import quote

# Remarks, in scripts that are not Latin.
_NOTES = ("备注", "備註", "備考", "メモ", "비고", "примечан", "комментар", "ملاحظات", "หมายเหตุ",
          "σχόλια", "הערות")  # fmt: skip
# Roles, and words of names, whose columns are neither products nor what was sold of them.
_CLAIMED = ("price", "discount", "in_stock", "on_order", "backorders", "reorder_point", "lead_time",
            "on_hand", "unit_cost", "list_price", "shelf_life", "pack_size", "min_order",
            "hours_out_of_stock")  # fmt: skip
_OTHER = DOCUMENTS | {
    "id", "no", "nr", "number", "key", "index", "row", "line", "zip", "phone", "lat", "lon",
    "latitude", "longitude", "year", "month", "week", "day", "hour", "weekday", "wochentag", "jour",
    "dia", "tag", "holiday", "event", "temperature", "temp", "rain", "wind", "humidity", "weather",
    "wetter", "clouds", "cloud", "sunshine", "sun", "snow", "precipitation", "regen", "sonne",
    "schnee", "wolken", "temperatur", "pluie", "neige", "vent", "lluvia", "nieve", "viento",
    "closed", "open", "weekend", "is", "cpi", "rate", "percent", "pct", "share", "ratio", "visits",
    "visitors", "customer",
    "customers", "kunde", "client", "cliente", "comment", "note", "remark", "status", "currency",
    "unit", "uom", "forecast", "budget", "plan", "margin", "tax", "vat", "user", "employee",
    "supplier", "lieferant", "proveedor", "fournisseur", "channel", "category", "kategorie",
    "categorie", "categoria", "brand", "type", "class", "group", "region", "country", "city",
    "tmax", "tmin", "tavg", "tmean", "prcp", "precip", "rainfall", "snowfall", "windspeed",
    "humid", "pressure", "luftdruck", "bewolkung", "niederschlag", "feuchte", "luftfeuchte",
    "humedad", "humidite", "precipitacion", "precipitations", "pioggia", "temperatura",
    "umidita", "vento", "chuva", "umidade", "temperatuur", "neerslag", "wiatr", "deszcz",
    "yagmur", "sicaklik", "regn", "sno", "nederbord", "celsius", "fahrenheit",
    "kunden", "besucher", "gaste", "passanten", "frequenz", "clients", "clientes", "visiteurs",
    "visitantes", "clienti", "klanten", "klienci", "musteri", "kunder", "covers", "guests",
    "footfall", "traffic", "visitor", "transactions", "tickets", "bons", "receipts", "orders",
    "waste", "spoilage", "spoiled", "shrink", "shrinkage", "schwund", "abfall", "bruch", "verderb",
    "perte", "pertes", "merma", "mermas", "scarti", "sprzedawca", "quebra",
    "probe", "sensor", "sonde", "fuhler", "voltage", "kwh", "ppm", "rpm", "lux", "sessions",
    "pageviews", "clicks", "impressions", "conversions", "conversion", "bounce",
    "promo", "promotion", "aktion", "rabatt", "feiertag", "ferien", "festivo", "feriado", "ferie",
    "swieto", "staff", "hours", "stunden", "heures", "horas", "minutes", "score", "rating",
    "notes", "notiz", "bemerkung", "anmerkung", "kommentar", "comments", "remarks", "remarque",
    "observaciones", "opmerking", "uwagi",
    "iva", "propina", "propinas", "cortesia", "cortesias", "personas", "nopersonas", "comensales",
    "impuesto", "impuestos", "tip", "tips", "gratuity", "mwst", "tva", "gst", "trinkgeld",
    "pourboire", "mancia", "promedio", "cuentas", "neta", "neto", "bruta", "bruto",
    "size", "grosse", "groesse", "taille", "talla", "tamanho", "tamano", "misura", "taglia",
    "maat", "rozmiar", "boyut", "beden", "storlek",
}  # fmt: skip


FULL = 0.5  # share of rows, or cells of a table, from which on most are there
BUYERS = {"customer", "client", "cliente", "kunde", "buyer", "member", "user", "household",
          "shopper", "musteri", "klant", "klient"}  # fmt: skip


@dataclass(frozen=True)
class SalesFile:
    """The file of sales and which of its columns are what.

    Attributes:
        file: What it holds.
        keys: Product, place or series.
        date: None where periods are columns.
        quantity: None where periods are columns.
    """

    file: FileFacts
    keys: Keys
    date: ColumnFacts | None
    quantity: ColumnFacts | None

    @property
    def missing(self) -> list[str]:
        """What was not found of date, quantity and product."""
        found = {
            "date": self.date is not None or bool(self.file.periods),
            "quantity": self.quantity is not None or bool(self.file.periods),
            "product": bool(self.keys.there) or self.keys.series is not None,
        }
        return [name for name, is_there in found.items() if not is_there]


def is_of_something_else(column: str) -> bool:
    """Return whether a column's name says that it is neither a product nor what was sold of it."""
    if set(plain(column).split("_")) & _OTHER or is_ruled_out(column, "y"):
        return True
    if any(word in column.lower() for word in _NOTES):
        return True
    return any(by_word([column], role) is not None for role in _CLAIMED)


def num_keys(reader: Reader, file: FileFacts, names: list[str], period: str) -> int:
    """Return how many combinations of keys and periods a file holds."""
    return num_combined(reader, file, [*map(quote, names), period])
