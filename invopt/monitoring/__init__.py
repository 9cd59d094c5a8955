"""Whether what the model learned still holds."""
