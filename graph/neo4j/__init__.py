"""The team's home of facts: a Neo4j server.

Accounts are nodes, and a fact is a relationship between two of them, or from one to an
identifier or to a node of its own. Every fact has a place (`seq`) in the store, ascending
and never used twice: reading, clearing and increments go by ranges of places, whatever the
shape of the graph, so a hub is no larger a bite than anybody else.
"""
