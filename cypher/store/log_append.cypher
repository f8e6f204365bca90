// About: appends an event to the review log, with its personal words if it has any.
// Parameters: event (map: number and version (integer); subject, action, at, clock, user, login, role,
//  body, words_digest, previous, digest (text)), words (list of at most one map: number (integer), salt,
//  text)
// Rows: none
MATCH (log:Log {single: 1})
SET log.number = $event.number, log.digest = $event.digest, log.at = $event.at
CREATE (event:Event)
SET event = $event
FOREACH (said IN $words |
  CREATE (event)-[:SAID]->(:Words {number: said.number, salt: said.salt, text: said.text}))
