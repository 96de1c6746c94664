"""What people and programs see: pure functions of results, and the streams they go to."""
