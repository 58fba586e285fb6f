"""The course as experiments: each computes, times, draws and checks one idea of the lecture notes."""
