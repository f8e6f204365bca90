// About: finds links by ranges of their place in the store
// Parameters: none
// Rows: none
CREATE INDEX linked_seq IF NOT EXISTS
FOR ()-[fact:LINKED]-() ON (fact.seq)
