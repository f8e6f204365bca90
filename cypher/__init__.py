"""Every Cypher statement, one named file each (data, no code)."""
