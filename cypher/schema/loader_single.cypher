// About: one loader at a time
// Parameters: none
// Rows: none
CREATE CONSTRAINT loader_single IF NOT EXISTS
FOR (loader:Loader) REQUIRE loader.single IS UNIQUE
