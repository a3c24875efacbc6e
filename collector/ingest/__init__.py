"""From bytes on a socket to rows on a disk: read, admit, place, store, and only then a receipt."""
