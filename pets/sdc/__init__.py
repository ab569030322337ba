"""Disclosure control: what may be derived of tables that left without noise, proved or shown."""
