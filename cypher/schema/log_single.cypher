// About: there is one review log
// Parameters: none
// Rows: none
CREATE CONSTRAINT log_single IF NOT EXISTS
FOR (log:Log) REQUIRE log.single IS UNIQUE
