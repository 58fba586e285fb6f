"""The pages that are made of asv's results: a landing page, and asv's own made to work without internet."""
