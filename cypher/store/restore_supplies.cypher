// About: supplies of a store that is being restored.
// Parameters: supplies (list of maps: batch (integer), amount (text), valid_from (text))
// Rows: none
UNWIND $supplies AS row
MERGE (supply:Supply {batch: row.batch})
SET supply.amount = row.amount, supply.valid_from = datetime(row.valid_from)
