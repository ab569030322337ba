"""``pets sdc``: tables of counts, checked and exported."""
