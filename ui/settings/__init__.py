"""What the settings screens are made of: forms, what there is to choose from, and a file for each screen."""
