// About: a piece of a file that is kept of an archived month.
// Parameters: name (text: of the month), file (text), part (integer, from 0)
// Rows: bytes (bytes): none where there are no more
MATCH (archive:Archive {kept: $name})
WITH archive LIMIT 1
MATCH (archive)-[keeps:KEEPS {file: $file, part: $part}]->(piece:Kept)
RETURN piece.bytes AS bytes
