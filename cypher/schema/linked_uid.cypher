// About: each revision of links is there once; finds them by uid
// Parameters: none
// Rows: none
CREATE CONSTRAINT linked_uid IF NOT EXISTS
FOR ()-[fact:LINKED]-() REQUIRE (fact.uid, fact.revision) IS UNIQUE
