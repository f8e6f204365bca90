// About: a supply is one batch
// Parameters: none
// Rows: none
CREATE CONSTRAINT supply_batch IF NOT EXISTS
FOR (supply:Supply) REQUIRE supply.batch IS UNIQUE
