// About: each revision of transfers is there once; finds them by uid
// Parameters: none
// Rows: none
CREATE CONSTRAINT transferred_uid IF NOT EXISTS
FOR ()-[fact:TRANSFERRED]-() REQUIRE (fact.uid, fact.revision) IS UNIQUE
