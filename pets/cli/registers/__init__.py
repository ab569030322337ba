"""Entries for registers: what `pets ledger export` writes."""
