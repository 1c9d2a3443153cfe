"""The risk desk: requirements kept up to date tick by tick, margin calls and their ledger, expiry,
liquidation and cures."""

from shockgrid.desk.desk import Desk

__all__ = ["Desk"]
