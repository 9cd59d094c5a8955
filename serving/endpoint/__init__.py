"""The HTTP and gRPC edge around KServe: guards, queue, protocols, and the model that answers."""
