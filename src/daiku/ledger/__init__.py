"""What daiku keeps between runs: its folder, its key, the pinned host keys, the journal, the lock."""
