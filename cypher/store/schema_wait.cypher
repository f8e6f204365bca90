// About: waits until every index serves.
// Parameters: seconds (integer)
// Rows: none
CALL db.awaitIndexes($seconds)
