"""Every rule of the sales process, once: one file for each noun."""
