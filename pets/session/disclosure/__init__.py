"""Disclosure control: what can be derived of all that left without noise, for the custodian."""
