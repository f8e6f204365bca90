// About: removes purchases that a dead load left: all from a place on, some at a time.
// Parameters: first (integer), limit (integer)
// Rows: cleared (integer)
MATCH (fact:Purchase)
WHERE fact.seq >= $first
WITH fact LIMIT $limit
DETACH DELETE fact
RETURN count(*) AS cleared
