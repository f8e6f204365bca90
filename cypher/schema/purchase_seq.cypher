// About: finds purchases by ranges of their place in the store
// Parameters: none
// Rows: none
CREATE INDEX purchase_seq IF NOT EXISTS
FOR (fact:Purchase) ON (fact.seq)
