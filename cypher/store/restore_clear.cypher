// About: removes what else a restore that died left, once its facts and accounts are gone: some
//  nodes at a time.
// Parameters: first (integer: not used), limit (integer)
// Rows: cleared (integer)
MATCH (node:Batch|Supply|Identifier|Purchase|Holding|Attribute|Run|Result|Group|Draft|Archive|Kept)
WHERE $first = 0
WITH node LIMIT $limit
DETACH DELETE node
RETURN count(*) AS cleared
