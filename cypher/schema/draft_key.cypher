// About: a run is being saved once at a time; finds what is drafted of it
// Parameters: none
// Rows: none
CREATE CONSTRAINT draft_key IF NOT EXISTS
FOR (draft:Draft) REQUIRE draft.key IS UNIQUE
