"""Sleep scoring: states per epoch from rhythms and muscle tone, and how well scorers agree."""
