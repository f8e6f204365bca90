// About: deletes the evidence drawn for a run, in transactions of its own.
// Parameters: run (text)
// Rows: none
MATCH ()-[tie:ACTS_WITH {run: $run}]->()
CALL (tie) {
  DELETE tie
} IN TRANSACTIONS OF 10000 ROWS
