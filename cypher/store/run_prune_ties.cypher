// About: deletes the evidence drawn for a run.
// Parameters: run (text)
// Rows: none
MATCH ()-[tie:ACTS_WITH {run: $run}]->()
DELETE tie
