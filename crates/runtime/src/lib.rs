//! What every binary needs: configuration, telemetry, AWS clients, HTTP errors, health, authentication and shutdown.
