// About: each revision of holdings is there once; finds them by uid
// Parameters: none
// Rows: none
CREATE CONSTRAINT holding_uid IF NOT EXISTS
FOR (fact:Holding) REQUIRE (fact.uid, fact.revision) IS UNIQUE
