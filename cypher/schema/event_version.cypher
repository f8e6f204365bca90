// About: a subject has each version once; finds the events of a subject
// Parameters: none
// Rows: none
CREATE CONSTRAINT event_version IF NOT EXISTS
FOR (event:Event) REQUIRE (event.subject, event.version) IS UNIQUE
