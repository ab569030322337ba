"""Disclosure checks in the forms of others: ACRO's results for SACRO-Viewer, a Five Safes RO-Crate for a TRE."""
