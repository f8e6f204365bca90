// About: removes what is kept of a month, some pieces at a time, and last the month itself.
// Parameters: name (text), limit (integer)
// Rows: cleared (integer)
MATCH (archive:Archive {kept: $name})
OPTIONAL MATCH (archive)-[:KEEPS]->(piece:Kept)
WITH archive, piece LIMIT $limit
WITH archive, collect(piece) AS pieces
FOREACH (piece IN pieces | DETACH DELETE piece)
FOREACH (last IN CASE WHEN size(pieces) = 0 THEN [archive] ELSE [] END | DETACH DELETE last)
RETURN size(pieces) AS cleared
