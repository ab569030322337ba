"""Waiting: the verbs of questions that stay open."""
