"""Waiting: what a site keeps of questions that stay open, and how it goes on with them."""
