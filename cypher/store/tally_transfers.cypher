// About: how many transfers of each batch are in a range of places.
// Parameters: low (integer), high (integer: the first place not read)
// Rows: batch (integer), rows (integer), below (integer: with a negative amount)
MATCH ()-[fact:TRANSFERRED]->()
WHERE $low <= fact.seq < $high
RETURN fact.batch AS batch, count(*) AS rows,
  count(CASE WHEN fact.amount < 0 THEN 1 END) AS below
