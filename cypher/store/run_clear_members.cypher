// About: deletes who is in the groups of a run, in transactions of its own.
// Parameters: run (text)
// Rows: none
MATCH (:Run {id: $run})-[:FOUND]->(:Group)-[member:INCLUDES]->(:Account)
CALL (member) {
  DELETE member
} IN TRANSACTIONS OF 10000 ROWS
