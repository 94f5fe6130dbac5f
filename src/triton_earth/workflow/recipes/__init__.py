"""What a user writes: the recipe, its schema, and the data that it expects."""
