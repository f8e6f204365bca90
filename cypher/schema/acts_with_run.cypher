// About: finds the evidence that a run drew
// Parameters: none
// Rows: none
CREATE INDEX acts_with_run IF NOT EXISTS
FOR ()-[tie:ACTS_WITH]-() ON (tie.run)
