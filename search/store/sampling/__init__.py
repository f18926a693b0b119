"""The sampler's tables in our database: settings of its connections, and rows of it that our transactions write."""
