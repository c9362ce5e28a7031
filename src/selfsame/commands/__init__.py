"""The sub-commands of `selfsame`, one file each; nothing of torch is imported before a command runs."""
