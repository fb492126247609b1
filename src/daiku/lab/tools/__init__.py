"""Programs that the lab runs and that may have to be fetched or built first."""
