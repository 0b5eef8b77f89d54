"""The one point-in-time plan: from a spine and feature names to steps that each keep the spine's rows."""
