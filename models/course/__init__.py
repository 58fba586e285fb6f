"""The course as experiments: each idea of the lecture notes computed, timed, drawn and checked."""
