"""What an operator orders: the operations, and the two ways in which they reach a store.

Where a collector runs it holds the folder, and carries orders out itself, asked over a socket in that
folder (`local`); where none runs the command opens the store and does the same (`asking`). The operations
are the same functions either way (`operations`), and print the same lines.
"""
