"""From a request to results: keys, the plan, and the runner that makes what is missing."""
