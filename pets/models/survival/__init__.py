"""Survival: who leaves when, curves of it and tests between groups, with intervals that contain the noise."""
