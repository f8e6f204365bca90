// About: the personal words of events that are there: looks at every one of them.
// Parameters: none
// Rows: number (integer), salt, text (text)
MATCH (words:Words)
RETURN words.number AS number, words.salt AS salt, words.text AS text
ORDER BY number
