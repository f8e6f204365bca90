// About: an event of the review log is there once; finds it by its number
// Parameters: none
// Rows: none
CREATE CONSTRAINT event_number IF NOT EXISTS
FOR (event:Event) REQUIRE event.number IS UNIQUE
