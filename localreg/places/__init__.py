"""Places of content, such as registries and archives, and copying between them."""
