"""Tables from SDV's models, which see the rows: a process of its own, and rules kept."""
