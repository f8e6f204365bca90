// About: how many referrals of each batch are in a range of places, and what is wrong with them.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: batch (integer), rows (integer), below (integer: with a negative amount)
MATCH ()-[fact:REFERRED]->()
WHERE $low <= fact.seq < $high
RETURN fact.batch AS batch, count(*) AS rows,
  0 AS below
