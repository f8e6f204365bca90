// About: an identifier is there once; finds it by kind and digest
// Parameters: none
// Rows: none
CREATE CONSTRAINT identifier_digest IF NOT EXISTS
FOR (identifier:Identifier) REQUIRE (identifier.identifier_kind, identifier.digest) IS UNIQUE
