"""Where a company's files besides its sales belong: products, stock, plans, market and so on."""

import re
from dataclasses import replace

from invopt.sources.dated_files import DatedFiles
from invopt.sources.facts import DATE, NUMBER, TEXT, FileFacts, num_distinct
from invopt.sources.listed_products import one_row_per_product
from invopt.sources.period_columns import dated_names
from invopt.sources.placing import DUE, UNIQUE, Placer
from invopt.sources.planning_files import planning_table, unread_terms
from invopt.sources.product_files import ProductFiles, is_copy
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import (
    PRODUCT_ROLES,
    date_entry,
    domain_of,
    roles_of,
    shortened,
)

_FEW_MONTHS = 3
# Of names as plain() writes them.
_MONTH_NAME = (
    r"jan(uary|uar|vier)?|enero|ene|feb(ruary|ruar|rero)?|fev(rier)?|mar(ch|s|z|zo)?|mrz|maerz"
    r"|apr(il)?|avr(il)?|abr(il)?|may|mai|mayo|june?|juni?|juin|junio|july?|juli?|juillet|julio"
    r"|aug(ust)?|aout|ago(sto)?|sept?(ember|embre|tiembre)?|o[ck]t(ober|obre|ubre)?"
    r"|nov(ember|embre|iembre)?|de[cz](ember|embre)?|dic(iembre)?"
)
# In names of dates on which a row was written, or its stock was written.
_WRITTEN = (
    r"creat|updat|modif|changed|as_of|(^|_)last_(re)?(stock|count|seen|sync|check|edit|invent)|refreshed|counted|snapshot|(^|_)stand(_|$)|geandert"
    r"|actualiz|atualiz|aggiorn|mis_a_jour|(^|_)maj(_|$)|bijgewerkt|guncel|recorded|inventaire"
)
# Words of columns that name people, firms or machines.
_OTHERS = {
    "supplier", "vendor", "lieferant", "fournisseur", "proveedor", "fornitore", "fornecedor",
    "leverancier", "employee", "staff", "worker", "person", "mitarbeiter", "empleado", "employe",
    "dipendente", "funcionario", "customer", "client", "cliente", "kunde", "klant", "user",
    "member", "driver", "seller", "salesperson", "cashier", "partner", "account", "machine",
    "vehicle", "asset",
    "equipment", "device", "company", "contact", "patient", "doctor", "student",
}  # fmt: skip
_GIVEN_BACK = r"return|retour|retoure|refund|gutschrift|credit|devoluci|reso|avoir|zwrot|iade"


# In names of dates that a lot has: since when, and until when, it is there.
_OF_LOTS = (
    r"expir|exp_?d|best_before|use_by|ablauf|mhd|haltbar|caduc|vencim|validade|peremption|dluo|dlc"
    r"|scaden|vervaldat|tht|skt|ingreso|entrada|entree|entrata|receipt|received|eingang|arrival"
    r"|manufactur|mfg|produced|production|herstell|fabrica"
)


class Companions(Placer):
    """Places files beside the sales."""

    def place(self, files: list[FileFacts]) -> None:
        """Place every file, those that describe products first, or say why one is left out."""
        placing = self.placing
        products, dated = ProductFiles(placing), DatedFiles(placing)
        files = [file for file in files if not self._planning(file)]
        files = [file for file in files if not self._is_like_sales(file)]
        files = [file for file in files if not self._is_narrow(file)]
        files = [file for file in files if not self._is_of_others(file)]
        files = [one_row_per_product(placing, file) for file in files]
        files = [_without_dates(file) if _is_of_lots(file) else file for file in files]
        written = {f.name: f.of_kind(DATE)[-1] for f in files if self._is_of_today(f)}
        files = [_without_dates(file) if file.name in written else file for file in files]
        undated = [
            f for f in files if not f.periods and (not f.of_kind(DATE) or self._is_master(f))
        ]
        # A list that knows more of what is sold comes first, and one of another day last.
        undated.sort(key=lambda file: (is_copy(file), -self._num_known(file)))
        describing: list[FileFacts] = []
        for file in undated:
            placing.tell(file, products.map_file(file, describing))
        if "products" not in placing.tables:
            products.join(describing)
        else:
            for file in describing:
                products.tell_joined(file)
        for file in files:
            if file not in undated:
                found = dated.map_wide(file) if file.periods else dated.map_dated(file)
                placing.tell(file, found)
        dated.latest_count()
        position = placing.tables.get("position", {})
        if position.get("from") in written:
            position["ds"] = date_entry(written[position["from"]])

    def _num_known(self, file: FileFacts) -> int:
        """Return how many of the products sold a file knows, 0 where it is of something else."""
        product = self.placing.keys_of(file).product
        return 0 if product is None else self.placing.known_products(file, product)["alike"]

    def _is_of_others(self, file: FileFacts) -> bool:
        """Leave out a list of people, firms or machines, whose dates say since when one is there.

        A single row says nothing of one day or another, either.
        """
        own = self.placing.keys_of(file)
        if not file.of_kind(DATE) or file.periods:
            return False
        due = any(re.search(DUE, plain(c.name)) for c in file.of_kind(DATE))  # one order is one
        if file.num_rows == 1 and not due and domain_of(replace(file, columns=())) == "external":
            self.placing.tell(file, "its only row says nothing that differs by day")
            return True
        if own.there or own.series is not None:
            return False
        alone = [c for c in file.columns if c.num_distinct >= UNIQUE * file.num_rows]
        others = [c.name for c in alone if {*plain(c.name).split("_")} & _OTHERS]
        if others and file.num_rows > 1:
            self.placing.tell(
                file, f"it has one row for each {others[0]}, and none of it differs by day"
            )
            return True
        return False

    def _is_of_today(self, file: FileFacts) -> bool:
        """Return whether a file has a row for each product, and dates say when it was written."""
        own, dates = self.placing.keys_of(file), file.of_kind(DATE)
        columns = [own.series] if own.series is not None else own.there
        if not dates or not columns or file.periods:
            return False
        if not all(re.search(_WRITTEN, plain(date.name)) for date in dates):
            return False
        return num_distinct(self.reader, file, columns) >= UNIQUE * file.num_rows

    def _is_like_sales(self, file: FileFacts) -> bool:
        """Leave out a file with the columns of the sales: its lines are none of another table."""
        ours, theirs = ({c.name for c in f.columns} for f in (self.sales, file))
        alike = ours == theirs and not file.periods and not self.sales.periods
        if alike and re.search(_GIVEN_BACK, plain(file.name)):
            self.placing.tell(
                file,
                f"it has the columns of {self.sales.name}, and its name says that its lines are "
                "given back: where they lower what was sold, "
                f"unite both in a source of SQL (SELECT * FROM {self.sales.name} UNION ALL BY NAME "
                f"SELECT * REPLACE (-... AS ...) FROM {file.name}), name that source under sales, "
                "with layout: transactions and returns: net",
            )
            return True
        if not alike and self._renames_sales(file):
            self.placing.tell(
                file,
                f"it seems to go on from {self.sales.name} with other names of columns "
                f"({', '.join(sorted(theirs - ours))}): give both the same names in a source of "
                "SQL (UNION ALL BY NAME), and name that source under sales",
            )
            return True
        if alike:
            self.placing.tell(
                file,
                f"it has the columns of {self.sales.name}; if its lines are sales too, put all "
                "files under one source (a pattern, or SQL with UNION ALL BY NAME)",
            )
        return alike

    def _renames_sales(self, file: FileFacts) -> bool:
        """Return whether a file is called like that of the sales, and has its parts renamed."""
        stems = [re.sub(r"[\d_]+", "", plain(f.name)) for f in (self.sales, file)]
        if stems[0] != stems[1] or file.periods or self.sales.periods:
            return False
        own = self.placing.keys_of(file)
        numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in own.there]
        is_sold = by_word(numbers, "y") is not None and bool(file.of_kind(DATE))
        return is_sold and self.placing.is_whole(own)

    def _is_narrow(self, file: FileFacts) -> bool:
        """Leave out a table with a column for each of a few days: these are no attributes."""
        names = [c.name for c in file.columns]
        months = [name for name in names if re.fullmatch(_MONTH_NAME, plain(name))]
        if not file.periods and len(months) >= _FEW_MONTHS:
            self.placing.tell(
                file,
                f"it has a column for each of {len(months)} months ({months[0]}) and none says of "
                "which year: name them as 2024-01, or UNPIVOT it in a source of SQL",
            )
            return True
        days = dated_names(names)
        if not file.periods and days:
            self.placing.tell(
                file,
                f"it has a column for each of {len(days)} days ({days[0]}), too few to be sure: "
                "write `wide` by hand, or UNPIVOT it in a source of SQL",
            )
        return bool(days) and not file.periods

    def _is_master(self, file: FileFacts) -> bool:
        """Return whether dates of a file say since when, or until when, its products are valid.

        It has one row per product (or series), and says something of it that no day changes.
        """
        own = self.placing.keys_of(file)
        columns = [own.series] if own.series is not None else own.there
        dates = [plain(c.name) for c in file.of_kind(DATE)]
        if not columns or domain_of(file) not in ("market", "external"):
            return False
        if any(re.search(DUE, name) for name in dates):
            return False
        numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in columns]
        told = set(roles_of(numbers, PRODUCT_ROLES).values()) & {*PRODUCT_ROLES} - {"list_price"}
        texts = [c for c in file.of_kind(TEXT) if c.name not in columns]
        if not told and not texts:
            return False
        return num_distinct(self.reader, file, columns) >= UNIQUE * file.num_rows

    def _planning(self, file: FileFacts) -> bool:
        """Map a file that planning alone reads; return whether it is one."""
        own = self.placing.keys_of(file)
        found = planning_table(file, own)
        if found is None:
            return False
        section, table = found
        if section in self.tables:
            self.placing.tell(file, f"{section} are mapped from another file")
        elif table.get("unique_id") and not self.placing.is_whole(own):
            self.placing.tell(file, f"{section} are by supplier or by product and place")
        else:
            self.tables[section] = table
            if unread := unread_terms(file, table):
                self.notes.append(
                    f"not read of {file.name} ({file.path}): {shortened(unread)}; see what "
                    f"{section} may hold in docs/your-data.md"
                )
        return True


def _is_of_lots(file: FileFacts) -> bool:
    """Return whether a file holds stock by lot: its dates say since, or until, when it keeps."""
    dates = file.of_kind(DATE)
    is_held = by_word([c.name for c in file.of_kind(NUMBER)], "on_hand") is not None
    return bool(dates) and is_held and all(re.search(_OF_LOTS, plain(c.name)) for c in dates)


def _without_dates(file: FileFacts) -> FileFacts:
    return replace(file, columns=tuple(c for c in file.columns if c.kind != DATE))
