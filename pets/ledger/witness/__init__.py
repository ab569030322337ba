"""Witnesses: others who look whether a log only grows, and sign what they saw (C2SP)."""
