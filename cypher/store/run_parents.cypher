// About: which group of a run lies inside which larger one.
// Parameters: parents (list of maps: key, parent (the key of the larger group))
// Rows: none
UNWIND $parents AS row
MATCH (inner:Group {key: row.key})
MATCH (outer:Group {key: row.parent})
CREATE (inner)-[:INSIDE]->(outer)
