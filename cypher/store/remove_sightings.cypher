// About: removes sightings that are archived: all with one of these uids, and identifiers that nobody
//  was seen with any more.
// Parameters: uid (list of text)
// Rows: none
UNWIND $uid AS wanted
MATCH ()-[fact:SEEN_WITH]->(identifier)
WHERE fact.uid = wanted AND fact.revision >= 1
DELETE fact
WITH DISTINCT identifier
WHERE NOT EXISTS { (identifier)<--() }
DELETE identifier
