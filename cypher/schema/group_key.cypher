// About: a group is there once in each run
// Parameters: none
// Rows: none
CREATE CONSTRAINT group_key IF NOT EXISTS
FOR (group:Group) REQUIRE group.key IS UNIQUE
