// About: finds the batches that readers take
// Parameters: none
// Rows: none
CREATE INDEX batch_visible IF NOT EXISTS
FOR (batch:Batch) ON (batch.visible)
