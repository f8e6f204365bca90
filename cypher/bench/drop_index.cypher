// About: removes an index that is no constraint's, where there is one of this name.
// Parameters: name (text)
// Rows: none
DROP INDEX $name IF EXISTS
