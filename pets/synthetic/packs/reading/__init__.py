"""How a pack is read: its grammar, the places of its errors, its tables, and what is looked at in its formulas."""
