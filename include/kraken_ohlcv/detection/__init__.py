"""What each series is missing, and what the exchange says before anything is fetched."""
