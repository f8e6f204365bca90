// About: removes transfers that a dead load left: all from a place on, some at a time.
// Parameters: first (integer), limit (integer)
// Rows: cleared (integer)
MATCH ()-[fact:TRANSFERRED]->()
WHERE fact.seq >= $first
WITH fact LIMIT $limit
DELETE fact
RETURN count(*) AS cleared
