"""Invented rows. Here alone ordinary seeded random numbers are allowed: they protect no one."""
