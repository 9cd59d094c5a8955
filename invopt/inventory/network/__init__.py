"""Warehouses and the places they supply: levels, scarce stock, transfers."""

from invopt.inventory.network.allocation import allocate, allocate_exactly
from invopt.inventory.network.network_review import NetworkReview
from invopt.inventory.network.sheets import NETWORK_COLUMNS
from invopt.inventory.network.worth import Worth

__all__ = ["NETWORK_COLUMNS", "NetworkReview", "Worth", "allocate", "allocate_exactly"]
