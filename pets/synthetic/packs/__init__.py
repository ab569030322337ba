"""Packs: declared data sets of a health service, with codes, check digits, formulas and faults."""
