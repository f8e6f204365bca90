// About: removes all that the stores of a measurement hold, some at a time; looks at every account.
// Parameters: none
// Rows: none
MATCH (part:Account|Batch|Store|Loader)
CALL (part) {
  DETACH DELETE part
} IN TRANSACTIONS OF 10000 ROWS
