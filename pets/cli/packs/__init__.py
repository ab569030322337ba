"""``pets pack``: packs of one's own."""
