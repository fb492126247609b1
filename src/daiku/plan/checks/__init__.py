"""What makes a specification impossible: one concern a file, each a function from the View to the faults it finds."""
