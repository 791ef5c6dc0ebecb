"""What all sources share: plan, attempt, write, apply, resolve, sum up."""
