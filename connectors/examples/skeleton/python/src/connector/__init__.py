"""A connector to fill in. Transport, retries and credentials are the hub's."""
