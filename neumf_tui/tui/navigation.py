"""Messages by which a screen asks the app for another screen."""
