// About: finds attributes of accounts by ranges of their place in the store
// Parameters: none
// Rows: none
CREATE INDEX attribute_seq IF NOT EXISTS
FOR (fact:Attribute) ON (fact.seq)
