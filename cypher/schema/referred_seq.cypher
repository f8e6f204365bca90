// About: finds referrals by ranges of their place in the store
// Parameters: none
// Rows: none
CREATE INDEX referred_seq IF NOT EXISTS
FOR ()-[fact:REFERRED]-() ON (fact.seq)
