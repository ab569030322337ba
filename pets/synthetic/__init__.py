"""Invented rows. The only room of pets where ordinary seeded random numbers are allowed: they protect no one."""
