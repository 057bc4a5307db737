"""The dashboard for people: its figures in words, its charts, and all of it as one page to print or send."""
