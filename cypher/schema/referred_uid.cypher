// About: each revision of referrals is there once; finds them by uid
// Parameters: none
// Rows: none
CREATE CONSTRAINT referred_uid IF NOT EXISTS
FOR ()-[fact:REFERRED]-() REQUIRE (fact.uid, fact.revision) IS UNIQUE
