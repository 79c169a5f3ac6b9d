"""docker-compose.yml without a container engine."""
