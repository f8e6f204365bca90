// About: a view of the review log is there once; finds it by its kind and key
// Parameters: none
// Rows: none
CREATE CONSTRAINT view_key IF NOT EXISTS
FOR (view:View) REQUIRE (view.kind, view.key) IS UNIQUE
