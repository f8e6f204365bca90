// About: finds holdings by ranges of their place in the store
// Parameters: none
// Rows: none
CREATE INDEX holding_seq IF NOT EXISTS
FOR (fact:Holding) ON (fact.seq)
