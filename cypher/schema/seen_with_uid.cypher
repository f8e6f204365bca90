// About: each revision of sightings is there once; finds them by uid
// Parameters: none
// Rows: none
CREATE CONSTRAINT seen_with_uid IF NOT EXISTS
FOR ()-[fact:SEEN_WITH]-() REQUIRE (fact.uid, fact.revision) IS UNIQUE
