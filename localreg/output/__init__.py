"""The output for people and programs: pure functions of results, and the streams they go to."""
