// About: takes away the personal words of some events.
// Parameters: numbers (list of integer)
// Rows: none
UNWIND $numbers AS number
MATCH (words:Words {number: number})
DETACH DELETE words
