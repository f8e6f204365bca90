// About: the supplies that were set.
// Parameters: none
// Rows: batch (integer), amount (text), valid_from (text)
MATCH (supply:Supply)
RETURN supply.batch AS batch, supply.amount AS amount, toString(supply.valid_from) AS valid_from
ORDER BY batch
