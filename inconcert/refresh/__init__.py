"""The refresh: a platform's day from its feeds into the queue, unattended.

It goes through the stages of `review.refreshes.STAGES`. Each is done once, and what it did is
recorded when it is done; what is recorded is not done again. So a refresh that was stopped at any
moment goes on where it stopped.
"""
