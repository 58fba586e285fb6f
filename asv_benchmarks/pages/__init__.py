"""The pages made of asv's results: a landing page, and asv's own page, changed to need no internet."""
