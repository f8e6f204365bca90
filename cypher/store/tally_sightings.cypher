// About: how many sightings of each batch are in a range of places.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: batch (integer), rows (integer), below (integer: 0, they have no amounts)
MATCH ()-[fact:SEEN_WITH]->()
WHERE $low <= fact.seq < $high
RETURN fact.batch AS batch, count(*) AS rows, 0 AS below
