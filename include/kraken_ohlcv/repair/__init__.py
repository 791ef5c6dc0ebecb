"""One way into the stores for every source: plan, attempt, apply, resolve, sum up."""
