// About: new accounts with their numbers.
// Parameters: batch (integer), account (list of text), ix (list of integer)
// Rows: none
UNWIND range(0, size($ix) - 1) AS i
CREATE (:Account {id: $account[i], ix: $ix[i], batch: $batch})
