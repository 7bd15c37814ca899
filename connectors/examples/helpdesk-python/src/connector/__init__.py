"""The help desk: contacts and tickets in, contacts out, audiences as tags, erasure. Transport, retries and credentials
are the hub's."""
