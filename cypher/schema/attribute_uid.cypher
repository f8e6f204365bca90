// About: each revision of attributes of accounts is there once; finds them by uid
// Parameters: none
// Rows: none
CREATE CONSTRAINT attribute_uid IF NOT EXISTS
FOR (fact:Attribute) REQUIRE (fact.uid, fact.revision) IS UNIQUE
