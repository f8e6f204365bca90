// About: adds a piece of a file that is kept of an archived month.
// Parameters: name (text: of the month), file (text), part (integer, from 0), bytes (bytes)
// Rows: none
MATCH (archive:Archive {kept: $name})
MERGE (archive)-[:KEEPS {file: $file, part: $part}]->(piece:Kept)
SET piece.bytes = $bytes
