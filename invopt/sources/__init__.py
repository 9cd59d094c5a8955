"""Any company's files and databases, by a YAML mapping, into dense panels.

`load_mapping` reads the YAML; `read_dataset` reads the data it names.
"""

from invopt.sources.account import account_of, source_accounts, unreadable_account
from invopt.sources.dataset import DatasetReport, read_dataset, read_position, tables_lost
from invopt.sources.ledger import Accounting
from invopt.sources.mapping import Mapping, load_mapping
from invopt.sources.validation import DataCheck, DataProfile, check_data

__all__ = [
    "Accounting",
    "DataCheck",
    "DataProfile",
    "DatasetReport",
    "Mapping",
    "account_of",
    "check_data",
    "load_mapping",
    "read_dataset",
    "read_position",
    "source_accounts",
    "tables_lost",
    "unreadable_account",
]
