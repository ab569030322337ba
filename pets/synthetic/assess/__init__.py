"""Assess: what a synthetic table keeps, what it loses, and what it risks. A custodian's tool.

It reads real rows and its page holds exact statistics of them: no guarantee covers it.
"""
