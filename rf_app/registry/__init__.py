"""Models on disk: cards, folders, checks, loading, atomic publishing."""
