// About: removes a constraint and its index, where there is one of this name.
// Parameters: name (text)
// Rows: none
DROP CONSTRAINT $name IF EXISTS
