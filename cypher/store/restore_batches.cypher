// About: batches of a store that is being restored, with all that is known of them by now.
// Parameters: batches (list of maps: the properties of each, by its number)
// Rows: none
UNWIND $batches AS row
MERGE (batch:Batch {batch: row.batch})
SET batch += row
