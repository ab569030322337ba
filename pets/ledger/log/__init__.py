"""The chained and signed log: records, Merkle tree, checkpoints, certificates, and their verification."""
