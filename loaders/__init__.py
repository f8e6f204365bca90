"""From files to facts: read, parse, quarantine, load."""
