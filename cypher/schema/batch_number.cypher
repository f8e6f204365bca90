// About: a batch number is given once
// Parameters: none
// Rows: none
CREATE CONSTRAINT batch_number IF NOT EXISTS
FOR (batch:Batch) REQUIRE batch.batch IS UNIQUE
