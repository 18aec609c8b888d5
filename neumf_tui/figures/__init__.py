"""Pictures for papers, drawn by matplotlib without a window."""
