"""Times of files: calendars, where a stamp lies in its interval, equal steps, and longer ones."""
