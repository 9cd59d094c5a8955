"""What each pipeline step does, between the files it reads and the files it writes."""
