// About: finds transfers by ranges of their place in the store
// Parameters: none
// Rows: none
CREATE INDEX transferred_seq IF NOT EXISTS
FOR ()-[fact:TRANSFERRED]-() ON (fact.seq)
