// About: finds loads that are not committed
// Parameters: none
// Rows: none
CREATE INDEX batch_state IF NOT EXISTS
FOR (batch:Batch) ON (batch.state)
