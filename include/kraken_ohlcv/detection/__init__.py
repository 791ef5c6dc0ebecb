"""What every series lacks, and what the exchange says before anything is fetched."""
