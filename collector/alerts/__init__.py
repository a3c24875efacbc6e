"""Who is told without asking: webhooks are sent every published revision, feeds are read."""
