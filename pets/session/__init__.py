"""Custody of tables and account, and the verbs: quote, explain, release, synthesise, contribute."""
