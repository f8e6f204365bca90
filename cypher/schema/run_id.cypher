// About: a run is there once; finds it by its id
// Parameters: none
// Rows: none
CREATE CONSTRAINT run_id IF NOT EXISTS
FOR (run:Run) REQUIRE run.id IS UNIQUE
