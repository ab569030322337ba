"""Questions about people in SQL: sub-queries by person as features, read and printed."""
