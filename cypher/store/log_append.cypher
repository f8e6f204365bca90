// About: appends an event to the review log, with its personal words if it has any.
// Parameters: event (map: number and version (integer); subject, action, at, clock, user, login, role,
//  body, words_digest, previous, digest (text)), words (list of at most one map: number (integer), salt,
//  text), sorts (list of text: its sort, where it is the first of it)
// Rows: none
MATCH (log:Log {single: 1})
SET log.number = $event.number, log.digest = $event.digest, log.at = $event.at,
  log.by_machine = coalesce(log.by_machine, false) OR $event.clock = 'machine',
  log.sorts = coalesce(log.sorts, []) + $sorts
CREATE (event:Event)
SET event = $event
FOREACH (said IN $words |
  CREATE (event)-[:SAID]->(:Words {number: said.number, salt: said.salt, text: said.text}))
