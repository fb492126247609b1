"""daiku (大工): one file describes a hybrid GPU cluster; daiku builds it and keeps it healthy."""

__version__ = "0.1.0"
