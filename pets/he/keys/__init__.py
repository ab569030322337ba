"""Keys of encrypted totals: public key, parties, the key's file and the record of what it opened."""
