"""The marking service of a class: an application of its own, since students are let near no ledger and no real row."""
