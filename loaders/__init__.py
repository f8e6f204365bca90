"""From files to facts: read, parse, quarantine, load.

files.py (csv_files, parquet_files, jsonl_files)   files → chunks of raw columns
mapping.py                                         which column feeds which field
parsing.py (accounts, amounts, times, texts, identifiers)
                                                   raw columns → facts and faults
uids.py, repeats.py, known.py, in_force.py         what is new, known or in conflict
quarantine.py, load.py                             the load itself
stamps.py                                          whether a file is still what was looked at
kinds/                                             one declaration a kind of fact
feeds/                                             where files and rows arrive regularly
"""
