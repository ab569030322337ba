"""``pets fit`` and ``pets train``: models of rows under noise, and networks."""
