"""Online tables on a server: what all such stores share. A store itself only finds and keeps rows."""
