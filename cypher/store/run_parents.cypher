// About: which drafted group lies inside which larger one.
// Parameters: parents (list of maps: key, parent (the key of the larger group))
// Rows: none
UNWIND $parents AS row
MATCH (inner:Draft {key: row.key})
MATCH (outer:Draft {key: row.parent})
CREATE (inner)-[:INSIDE]->(outer)
