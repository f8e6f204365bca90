// About: the personal words of an event are there once; finds them by its number
// Parameters: none
// Rows: none
CREATE CONSTRAINT words_number IF NOT EXISTS
FOR (words:Words) REQUIRE words.number IS UNIQUE
