// About: removes sightings that a dead load left: all from a place on, some at a time.
// Parameters: first (integer), limit (integer)
// Rows: cleared (integer)
MATCH ()-[fact:SEEN_WITH]->(identifier)
WHERE fact.seq >= $first
WITH fact, identifier LIMIT $limit
DELETE fact
WITH identifier, count(*) AS cleared
FOREACH (orphan IN CASE WHEN NOT EXISTS { (identifier)<--() } THEN [identifier] ELSE [] END |
  DELETE orphan
)
RETURN sum(cleared) AS cleared
