// About: each revision of purchases is there once; finds them by uid
// Parameters: none
// Rows: none
CREATE CONSTRAINT purchase_uid IF NOT EXISTS
FOR (fact:Purchase) REQUIRE (fact.uid, fact.revision) IS UNIQUE
