"""Evidence, forest, crossing, judge: from a snapshot to findings."""
