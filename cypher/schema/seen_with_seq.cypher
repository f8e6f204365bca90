// About: finds sightings by ranges of their place in the store
// Parameters: none
// Rows: none
CREATE INDEX seen_with_seq IF NOT EXISTS
FOR ()-[fact:SEEN_WITH]-() ON (fact.seq)
