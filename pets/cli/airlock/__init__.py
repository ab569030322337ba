"""``pets airlock``: files that an analyst wants to take out."""
