"""What people read of the log: the public page, tables in a terminal, exports, a register of uses."""
